//! Names: what one may be, and the two-word names of runs, such as `brisk-otter`.
use super::id::FlowRunId;

/// The longest name of a flow, deployment, pool, queue or project, in bytes: a pair of them is a key of the store.
pub const LONGEST_NAME: usize = 150;

/// Why `name` cannot be the name of an object, as the end of a sentence that begins with it; `None`: it can. The
/// forbidden characters are Prefect's (`^[^/%&><]+$`); what is invisible would break terminals and keys, or show another name than
/// it is; what begins with `-` is taken for an option.
pub fn problem(name: &str) -> Option<String> {
    if name.trim().is_empty() {
        return Some("must not be empty".to_owned());
    }
    if name.len() > LONGEST_NAME {
        return Some(format!("is {} bytes long, at most {LONGEST_NAME} are possible", name.len()));
    }
    if let Some(wrong) = name.chars().find(|c| matches!(c, '/' | '%' | '&' | '>' | '<') || is_invisible(*c)) {
        return Some(format!("must not contain '{}'", wrong.escape_default()));
    }
    if name.trim() != name {
        return Some("must not begin or end with a blank".to_owned());
    }
    name.starts_with('-').then(|| "must not begin with '-'".to_owned())
}

/// Characters that are obeyed and not seen, such as those that turn the direction of text: Unicode's categories Cc and Cf.
pub fn is_invisible(letter: char) -> bool {
    let formats = matches!(letter,
        '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}' | '\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0001}' | '\u{e0020}'..='\u{e007f}');
    formats || letter.is_control()
}

/// What is shown of a character that somebody else wrote: one that would be obeyed and not seen is marked.
pub fn visible(letter: char) -> char {
    if is_invisible(letter) { '\u{fffd}' } else { letter }
}

/// A name as it is typed in a shell: in quotes where the shell would take it apart.
pub fn typed(name: &str) -> String {
    let is_plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
    if is_plain { name.to_owned() } else { format!("'{}'", name.replace('\'', r"'\''")) }
}

/// The name of a run that nobody named: a function of its id, so that a run that is only computed has the same
/// name before and after it becomes real. Names need not be unique.
pub fn of_run(run: FlowRunId) -> String {
    // All bits count: the slots of a schedule differ only in the first ones, runs that were asked for also in the last ones.
    let (instant, rest) = run.0.as_u64_pair();
    let mut mixed = instant.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ rest;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let [first, second] = [mixed >> 32, mixed & 0xffff_ffff].map(|half| usize::try_from(half).unwrap_or(0));
    let adjective = ADJECTIVES[first % ADJECTIVES.len()];
    let animal = ANIMALS[second % ANIMALS.len()];
    format!("{adjective}-{animal}")
}

#[rustfmt::skip]
const ADJECTIVES: [&str; 253] = [
    "able", "agile", "alert", "amber", "ample", "apt", "ardent", "astute", "august", "avid", "azure", "balmy",
    "bold", "brave", "breezy", "bright", "brisk", "bronze", "busy", "calm", "candid", "careful", "caring",
    "cheerful", "chestnut", "chief", "civil", "classic", "clear", "clever", "cobalt", "comely", "composed",
    "coral", "cordial", "cosmic", "crimson", "crisp", "curious", "dainty", "dapper", "daring", "dazzling",
    "deft", "denim", "dexterous", "diligent", "discreet", "eager", "earnest", "easy", "elegant", "emerald",
    "eminent", "enigmatic", "epic", "exact", "expert", "fabulous", "fair", "famous", "fancy", "fearless",
    "fervent", "festive", "fine", "flashy", "fluent", "frank", "free", "fresh", "frugal", "gallant",
    "generous", "gentle", "giddy", "gifted", "glad", "gleaming", "glossy", "golden", "graceful", "grand",
    "great", "green", "grinning", "groovy", "handy", "happy", "hardy", "hasty", "hearty", "helpful", "honest",
    "humble", "hushed", "ideal", "imaginative", "impartial", "indigo", "industrious", "inky", "intrepid",
    "invisible", "jade", "jolly", "jovial", "keen", "khaki", "kind", "large", "lavender", "lean", "learned",
    "light", "lilac", "limber", "lively", "loyal", "lucid", "lucky", "magenta", "magnetic", "majestic",
    "maroon", "masterful", "mellow", "merry", "mighty", "mild", "modest", "mustard", "natural", "neat",
    "nimble", "noble", "novel", "observant", "ochre", "olive", "opal", "open", "orange", "organic", "ornate",
    "outgoing", "pastel", "patient", "peaceful", "peach", "pearl", "pensive", "perky", "placid", "playful",
    "polite", "portable", "practical", "precious", "prompt", "proud", "provident", "prudent", "puzzling",
    "quaint", "quick", "quiet", "radical", "rapid", "rare", "ready", "real", "refined", "reliable",
    "resolute", "rigorous", "robust", "rose", "rousing", "ruby", "rugged", "russet", "sage", "sandy",
    "sapphire", "savvy", "scarlet", "secret", "sensible", "serene", "shrewd", "sienna", "silent", "silver",
    "simple", "sincere", "skilled", "smart", "smooth", "sociable", "solid", "sparkling", "spirited",
    "spotless", "stable", "stalwart", "steady", "sterling", "stoic", "strong", "sturdy", "subtle", "sunny",
    "swift", "tactful", "tan", "tangerine", "tasteful", "teal", "tender", "terrific", "thankful", "thorough",
    "tidy", "topaz", "tough", "tranquil", "true", "trusty", "turquoise", "umber", "unique", "upbeat",
    "uptight", "urban", "valiant", "vanilla", "vehement", "verdant", "versatile", "vibrant", "vigilant",
    "violet", "viridian", "vivid", "warm", "watchful", "wealthy", "wise", "witty", "wondrous", "zealous",
    "zesty",
];

#[rustfmt::skip]
const ANIMALS: [&str; 321] = [
    "aardvark", "agouti", "albatross", "alpaca", "anchovy", "anole", "ant", "anteater", "antelope",
    "armadillo", "asp", "auk", "avocet", "axolotl", "badger", "bandicoot", "barb", "barnacle", "basilisk",
    "bat", "beagle", "bear", "beaver", "bee", "beetle", "bison", "boar", "bobcat", "bonobo", "booby",
    "bullfinch", "bumblebee", "bustard", "buzzard", "caiman", "camel", "canary", "capybara", "caracal",
    "cardinal", "caribou", "carp", "cassowary", "cat", "caterpillar", "catfish", "chameleon", "cheetah",
    "chicken", "chinchilla", "chipmunk", "cicada", "civet", "clam", "coati", "cobra", "cockatoo", "cod",
    "collie", "condor", "coot", "coral", "cormorant", "cougar", "coyote", "crab", "crane", "cricket",
    "crocodile", "crow", "cuckoo", "curlew", "deer", "degu", "dingo", "dog", "dogfish", "dolphin", "donkey",
    "dormouse", "dove", "dragonfly", "duck", "dugong", "dunlin", "eagle", "earwig", "echidna", "eel", "egret",
    "eland", "elephant", "elk", "emu", "falcon", "ferret", "finch", "firefly", "flamingo", "fossa", "fox",
    "frigatebird", "frog", "galago", "gannet", "gar", "gazelle", "gecko", "gerbil", "gibbon", "giraffe",
    "gnu", "goat", "godwit", "goldfinch", "goose", "gopher", "grebe", "grouse", "guan", "guillemot", "gull",
    "guppy", "hamster", "hare", "harrier", "hawk", "hedgehog", "heron", "herring", "hippo", "hog", "hornbill",
    "horse", "hound", "hummingbird", "husky", "hyena", "ibex", "ibis", "iguana", "impala", "jacamar",
    "jackal", "jackdaw", "jaguar", "jay", "jellyfish", "kagu", "kakapo", "kangaroo", "kestrel", "kingfisher",
    "kiwi", "koala", "koel", "kookaburra", "kudu", "labradoodle", "ladybug", "lark", "lemming", "lemur",
    "leopard", "limpet", "linnet", "lion", "lizard", "llama", "lobster", "locust", "lorikeet", "loris",
    "lynx", "lyrebird", "macaw", "magpie", "malamute", "mammoth", "manatee", "mandrill", "manta", "marlin",
    "marmot", "marten", "meerkat", "millipede", "mink", "mole", "mongoose", "moose", "moth", "mouse", "mule",
    "muskrat", "narwhal", "newt", "nightingale", "numbat", "ocelot", "octopus", "okapi", "opossum",
    "orangutan", "oriole", "oryx", "osprey", "ostrich", "otter", "owl", "ox", "oyster", "panda", "pangolin",
    "parakeet", "parrot", "partridge", "peacock", "peccary", "pelican", "penguin", "perch", "petrel",
    "pheasant", "pig", "pigeon", "pika", "pike", "pillbug", "piranha", "platypus", "plover", "polecat",
    "pony", "porcupine", "porpoise", "prawn", "puffin", "puma", "python", "quail", "quetzal", "quokka",
    "quoll", "rabbit", "raccoon", "ram", "raven", "ray", "reindeer", "robin", "rook", "rooster", "saiga",
    "salamander", "salmon", "sambar", "sardine", "seagull", "seahorse", "seal", "serval", "shark", "sheep",
    "shrew", "shrimp", "skunk", "sloth", "snail", "snake", "sparrow", "spider", "squid", "squirrel",
    "starfish", "starling", "stingray", "stoat", "stork", "sturgeon", "swallow", "swan", "swift", "tapir",
    "tarsier", "termite", "tern", "terrier", "tiger", "toad", "tortoise", "toucan", "trout", "tuna", "turkey",
    "turtle", "uakari", "urchin", "vicuna", "viper", "vole", "vulture", "wallaby", "walrus", "warbler",
    "wasp", "waxwing", "weasel", "weevil", "whale", "whippet", "wildcat", "wolf", "wolverine", "wombat",
    "woodpecker", "worm", "wren", "yak", "zebra", "zebu",
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use uuid::Uuid;

    #[test]
    fn names_are_two_words_and_spread() {
        let mut seen = HashSet::new();
        for number in 0..2_000u128 {
            let id = uuid::Builder::from_custom_bytes(number.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_be_bytes());
            let name = of_run(FlowRunId(id.into_uuid()));
            let (adjective, animal) = name.split_once('-').unwrap();
            assert!(ADJECTIVES.contains(&adjective) && ANIMALS.contains(&animal));
            seen.insert(name);
        }
        assert!(seen.len() > 1_900, "{} names", seen.len());
        // The daily slots of one schedule.
        let slot = |day: u128| FlowRunId(uuid::Uuid::from_u128((1_700_000_000_000 + day * 86_400_000) << 80 | 0x8abc_8def_0123_4567_89ab));
        let daily: HashSet<String> = (0..1_000).map(|day| of_run(slot(day))).collect();
        assert!(daily.len() > 980, "{} names", daily.len());
    }

    #[test]
    fn names_that_would_break_keys_or_urls_are_refused() {
        assert_eq!(problem("nightly etl"), None);
        assert_eq!(problem(" ").unwrap(), "must not be empty");
        assert_eq!(problem("a/b").unwrap(), "must not contain '/'");
        assert_eq!(problem("a\0b").unwrap(), "must not contain '\\u{0}'");
        assert_eq!(problem("a\u{202e}b").unwrap(), "must not contain '\\u{202e}'");
        assert_eq!(problem("--help").unwrap(), "must not begin with '-'");
        assert_eq!(problem(" a ").unwrap(), "must not begin or end with a blank");
        assert_eq!(problem(&"x".repeat(151)).unwrap(), "is 151 bytes long, at most 150 are possible");
    }

    #[test]
    fn a_name_never_changes() {
        let id: Uuid = "019aa5a0-0000-8000-8000-0123456789ab".parse().unwrap();
        assert_eq!(of_run(FlowRunId(id)), "stalwart-toucan");
    }
}
