//! Finds the payload types in their sources, so that every new one is fuzzed without being listed.

use std::path::Path;
use std::{env, error, fs, io};

const FOLDER: &str = "../crates/stanza/src/xep";

fn main() -> Result<(), Box<dyn error::Error>> {
    println!("cargo:rerun-if-changed={FOLDER}");
    let mut list = String::from("&[\n");
    add(Path::new(FOLDER), "", &mut list)?;
    list += "]\n";
    fs::write(Path::new(&env::var("OUT_DIR")?).join("types.rs"), list)?;
    Ok(())
}

/// Adds the types of the modules in a folder, and of those below them.
fn add(folder: &Path, above: &str, list: &mut String) -> io::Result<()> {
    let mut paths: Vec<_> = fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    paths.sort();
    for path in &paths {
        let module = path.file_stem().unwrap_or_default().to_string_lossy();
        let module = format!("{above}{module}::");
        if path.is_dir() {
            add(path, &module, list)?;
            continue;
        }
        for name in types(&fs::read_to_string(path)?) {
            let name = format!("{module}{name}");
            *list += &format!("    (\"{name}\", reread::<{name}>),\n");
        }
    }
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
