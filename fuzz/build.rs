//! Finds the payload types in their sources, so that every new one is fuzzed without being listed.

use std::path::Path;
use std::{env, error, fs};

const FOLDER: &str = "../crates/stanza/src/xep";

fn main() -> Result<(), Box<dyn error::Error>> {
    println!("cargo:rerun-if-changed={FOLDER}");
    let mut paths: Vec<_> = fs::read_dir(FOLDER)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "rs"));
    paths.sort();
    let mut list = String::from("types![\n");
    for path in &paths {
        let module = path.file_stem().unwrap_or_default().to_string_lossy();
        for name in types(&fs::read_to_string(path)?) {
            list += &format!("    {module}::{name},\n");
        }
    }
    list += "]\n";
    fs::write(Path::new(&env::var("OUT_DIR")?).join("types.rs"), list)?;
    Ok(())
}

/// What is declared by `payload!`, or by hand by `impl Payload for`.
fn types(source: &str) -> Vec<&str> {
    let mut types = Vec::new();
    let mut in_macro = false;
    for line in source.lines().map(str::trim) {
        in_macro |= line == "payload! {";
        let declared = line
            .strip_prefix("pub struct ")
            .filter(|_| in_macro)
            .and_then(|rest| rest.split('(').next());
        let by_hand = || line.strip_prefix("impl Payload for ")?.split(' ').next();
        if let Some(name) = declared.or_else(by_hand) {
            types.push(name);
            in_macro = false;
        }
    }
    types
}
