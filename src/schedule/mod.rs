//! When is a schedule due: rule and instant in, next instants out. Time zones and DST live here and nowhere else.
