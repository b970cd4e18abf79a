//! Closed by default (G10): who may talk to a daemon that can start programs, and with how much.
mod common;

use common::{Daemon, Host, daemon::id, http};
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;

fn serving() -> (Host, Daemon) {
    let host = Host::new("name: closed\ndeployments: [{name: one, command: 'touch ran'}]\n");
    let daemon = host.daemon();
    daemon.reconciled();
    (host, daemon)
}

/// The status of a request with these headers.
fn status(daemon: &Daemon, line: &str, headers: &[String], body: &str) -> u16 {
    let mut text = format!("{line}\r\n");
    for header in headers {
        text += &format!("{header}\r\n");
    }
    text += &format!("Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    http::exchange(&daemon.address, text.as_bytes()).map_or(0, |reply| reply.status)
}

#[test]
fn g10_a_page_of_another_site_reaches_nothing() {
    let (host, daemon) = serving();
    let port = daemon.address.rsplit(':').next().unwrap();
    let create = format!("POST /api/deployments/{}/create_flow_run HTTP/1.1", id(&daemon.deployment("one")));
    let own = format!("Host: {}", daemon.address);
    let header = |name: &str, value: &str| format!("{name}: {value}");
    // A name of the attacker's that resolves to 127.0.0.1 (DNS rebinding), another site's page, a sandboxed frame, no name at all.
    let foreign = [
        vec![header("Host", "evil.example")],
        vec![header("Host", &format!("evil.example:{port}"))],
        vec![header("Host", &format!("localhost.evil.example:{port}"))],
        vec![header("Host", &format!("0.0.0.0:{port}"))],
        vec![own.clone(), header("Origin", "https://evil.example")],
        vec![own.clone(), header("Origin", "null")],
        vec![own.clone(), header("Origin", &format!("http://localhost.evil.example:{port}"))],
        vec![own.clone(), header("Host", "evil.example")],
        vec![],
    ];
    for headers in &foreign {
        for line in [&create[..], "GET /api/health HTTP/1.1", "GET /api/reeve/status HTTP/1.1", "POST /api/flow_runs/filter HTTP/1.1", "GET /nowhere HTTP/1.1"] {
            let status = status(&daemon, line, headers, "{}");
            assert!(status == 403 || status == 400, "{line} with {headers:?}: {status}");
        }
    }
    let absolute = create.replace("POST /", "POST http://evil.example/");
    assert_eq!(status(&daemon, &absolute, std::slice::from_ref(&own), "{}"), 403);
    assert_eq!(daemon.runs_of("one").len(), 0, "a run was made");

    for name in [format!("localhost:{port}"), format!("127.0.0.1:{port}"), format!("[::1]:{port}"), "localhost".to_owned()] {
        assert_eq!(status(&daemon, "GET /api/health HTTP/1.1", &[header("Host", &name)], ""), 200, "{name}");
    }
    let same = [own, header("Origin", &format!("http://{}", daemon.address))];
    assert_eq!(status(&daemon, &create, &same, "{}"), 201);
    drop(host);
}

#[test]
fn g10_the_daemon_listens_on_loopback_only() {
    let (_host, daemon) = serving();
    let port: u16 = daemon.address.rsplit(':').next().unwrap().parse().unwrap();
    let wanted = format!(":{port:04X}");
    let listening = |table: &str| -> Vec<String> {
        let text = fs::read_to_string(table).unwrap_or_default();
        let local = text.lines().filter(|line| line.split_whitespace().nth(3) == Some("0A")).filter_map(|line| line.split_whitespace().nth(1));
        local.filter(|address| address.ends_with(&wanted)).map(str::to_owned).collect()
    };
    assert_eq!(listening("/proc/net/tcp"), [format!("0100007F{wanted}")]);
    assert_eq!(listening("/proc/net/tcp6"), [""; 0]);
}

#[test]
fn what_is_too_large_or_too_deep_is_refused_and_harms_nobody() {
    let (_host, daemon) = serving();
    let own = [format!("Host: {}", daemon.address)];
    let create = format!("POST /api/deployments/{}/create_flow_run HTTP/1.1", id(&daemon.deployment("one")));
    let large = format!("{{\"name\": \"{}\"}}", "x".repeat(5 << 20));
    assert_eq!(status(&daemon, &create, &own, &large), 413);
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for body in [&format!("{{\"parameters\": {deep}}}"), &deep, "{", "\u{0}", "[]", "\"text\"", "{\"parameters\": 3}", "{\"no_such_field\": 1}"] {
        let status = status(&daemon, &create, &own, body);
        assert!((400..500).contains(&status), "{status} for {:.60}", body);
    }
    for line in ["GET / HTTP/9.9", "nonsense", "GET /api/flow_runs/not-an-id HTTP/1.1", "DELETE /api/health HTTP/1.1", "GET /api/../../etc/passwd HTTP/1.1"] {
        let status = status(&daemon, line, &own, "");
        assert!(status == 0 || (400..500).contains(&status), "{line}: {status}");
    }
    let endless = format!("GET /api/health HTTP/1.1\r\nHost: {}\r\nX-Long: {}\r\n\r\n", daemon.address, "x".repeat(4 << 20));
    let refused = http::exchange(&daemon.address, endless.as_bytes()).map_or(0, |reply| reply.status);
    assert!(refused == 0 || (400..500).contains(&refused), "{refused}");
    assert_eq!(daemon.get("/health"), true);
    assert_eq!(daemon.runs_of("one").len(), 0);
}

#[test]
fn ids_and_names_from_outside_never_become_paths() {
    let (host, daemon) = serving();
    fs::write(host.path().join("outside"), "not yours").unwrap();
    let run = daemon.run_with("one", json!({"name": "../../outside"}));
    let answer = daemon.request("GET", "/reeve/flow_runs/..%2F..%2Foutside/logs/stream", None);
    assert!((400..500).contains(&answer.status), "{}", answer.status);
    daemon.end_of(&run);
    assert_eq!(fs::read_to_string(host.path().join("outside")).unwrap(), "not yours");
    assert!(host.home().join("runs").read_dir().unwrap().all(|day| day.unwrap().path().is_dir()));
}

#[test]
fn what_runs_print_and_are_given_is_readable_by_the_owner_only() {
    let (host, daemon) = serving();
    let run = daemon.outcome("one");
    let days = fs::read_dir(host.home().join("runs")).unwrap();
    let attempt = days.map(|day| day.unwrap().path().join(format!("{}.1", id(&run)))).find(|path| path.exists()).unwrap();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o077;
    assert_eq!(mode(&attempt), 0, "{}", attempt.display());
    for file in fs::read_dir(&attempt).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path), 0, "{}", path.display());
    }
}
