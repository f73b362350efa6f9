//! `waxwing manual` and `waxwing completions`: what packages ship beside the program, made from its own definitions.

use std::fs;
use std::io;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use waxwing_server::generate;

use crate::cli::Cli;
use crate::config::EXAMPLE;
use crate::files::{self, FileError};
use crate::{Outcome, say, terminal};

/// Prints a shell's completions.
pub(crate) fn completions(shell: Shell) -> Outcome {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "waxwing", &mut text);
    terminal::write(&text);
    Outcome::Done
}

/// Writes every page into a folder.
pub(crate) fn write(dir: &Path) -> Outcome {
    let failed = |error: FileError| Outcome::Failed(format!("{}: {error}", dir.display()));
    let pages = match pages() {
        Ok(pages) => pages,
        Err(error) => return failed(error.into()),
    };
    if let Err(error) = files::make_dir(dir) {
        return failed(error);
    }
    for (name, text) in pages {
        if let Err(error) = fs::write(dir.join(&name), text) {
            return Outcome::Failed(format!("{}: {error}", dir.join(name).display()));
        }
        say(&format!("wrote {name}"));
    }
    Outcome::Done
}

/// File names and contents.
fn pages() -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut root = without_help(Cli::command());
    root.build();
    let mut pages = Vec::new();
    add(&root, "waxwing".to_owned(), &mut pages)?;
    let mut file = Vec::new();
    of_the_file().to_writer(&mut file)?;
    pages.push(("waxwing.toml.5".to_owned(), file));
    Ok(pages)
}

/// Without the commands `help`, which say what the pages do.
fn without_help(command: clap::Command) -> clap::Command {
    command
        .disable_help_subcommand(true)
        .mut_subcommands(without_help)
}

/// The page of a command and those of the commands below it.
fn add(
    command: &clap::Command,
    name: String,
    pages: &mut Vec<(String, Vec<u8>)>,
) -> io::Result<()> {
    for below in command.get_subcommands() {
        add(below, format!("{name}-{}", below.get_name()), pages)?;
    }
    let man = Man::new(command.clone()).manual("Waxwing");
    let mut text = Vec::new();
    man.render(&mut text)?;
    let mut more = Roff::new();
    more.control("SH", ["EXIT STATUS"]);
    more.text([roman(
        "0 where it was done; 1 where it was refused or failed, with the reason on standard error; 2 where the command \
         line or the configuration file is wrong.",
    )]);
    more.control("SH", ["FILES"]);
    for (path, what) in [
        (
            "/etc/waxwing/waxwing.toml",
            "the configuration, see waxwing.toml(5)",
        ),
        (
            "/var/lib/waxwing",
            "everything that the server stores, by default",
        ),
    ] {
        more.control("TP", []);
        more.text([bold(path)]);
        more.text([roman(what)]);
    }
    more.to_writer(&mut text)?;
    pages.push((format!("{name}.1"), text));
    Ok(())
}

/// waxwing.toml(5): the commented example, whole.
fn of_the_file() -> Roff {
    let mut page = Roff::new();
    page.control("TH", ["waxwing.toml", "5", "", "", "Waxwing"]);
    page.control("SH", ["NAME"]);
    page.text([roman(
        "waxwing.toml - the configuration of the Waxwing messaging server",
    )]);
    page.control("SH", ["DESCRIPTION"]);
    page.text([
        roman("A file in TOML, by default "),
        bold("/etc/waxwing/waxwing.toml"),
        roman(
            ". A key that does not exist is refused with its line. The server reads the file when it starts and when \
             it is told to, by `waxwing reload`. Below is every key with what it means; those that are commented out \
             show their defaults.",
        ),
    ]);
    page.control("SH", ["KEYS"]);
    page.control("nf", []);
    let example = format!("{EXAMPLE}{}", generate::option_example());
    for line in example.lines() {
        page.text([roman(line)]);
    }
    page.control("fi", []);
    page.control("SH", ["SEE ALSO"]);
    page.text([bold("waxwing"), roman("(1)")]);
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_its_page_and_every_key_stands_in_one() {
        let pages = pages().unwrap();
        let page = |name: &str| {
            let found = pages.iter().find(|(file, _)| file == name);
            String::from_utf8(found.unwrap_or_else(|| panic!("no {name}")).1.clone()).unwrap()
        };
        assert!(page("waxwing.1").contains("waxwing\\-account(1)"));
        let add = page("waxwing-account-add.1");
        assert!(add.contains("password\\-stdin"), "{add}");
        assert!(add.contains("EXIT STATUS"), "{add}");
        assert!(page("waxwing.toml.5").contains("http_loopback"));
        assert!(!page("waxwing.1").contains("waxwing\\-help"));
    }

    #[test]
    fn shells_complete_commands() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "waxwing", &mut text);
            let text = String::from_utf8(text).unwrap();
            assert!(text.contains("password-stdin"), "{shell}");
        }
    }
}
