//! Asking for a password at the terminal, which does not show it. However the question ends, by a signal too, the
//! terminal is left as it was found.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::thread;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PromptError {
    /// The terminal.
    #[error("the password cannot be read: {0}")]
    Terminal(#[from] io::Error),
    /// It ended where a line was to come (Ctrl-D).
    #[error("no password was given; nothing was changed")]
    Ended,
    /// Not text.
    #[error("the password is no UTF-8 text")]
    NotText,
    /// Too long.
    #[error("the password is longer than {0} bytes; nothing was changed")]
    Long(u64),
    /// A signal, by its number.
    #[error("signal {0}")]
    Interrupted(u8),
}

/// Signals that end a program at a terminal, and are caught while it does not show what is typed.
struct Signals {
    interrupt: Signal,
    quit: Signal,
    terminate: Signal,
    hangup: Signal,
    /// After a stop, Ctrl-Z: the shell has the terminal show what is typed.
    continued: Signal,
}

/// What came.
enum Came {
    /// A signal that ends a program, by its number.
    End(u8),
    /// The program was stopped, and goes on.
    Continue,
}

impl Signals {
    fn new() -> io::Result<Signals> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            continued: signal(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))?,
        })
    }

    /// Waits for the next one.
    async fn wait(&mut self) -> Came {
        let kind = tokio::select! {
            _ = self.continued.recv() => return Came::Continue,
            _ = self.interrupt.recv() => SignalKind::interrupt(),
            _ = self.quit.recv() => SignalKind::quit(),
            _ = self.terminate.recv() => SignalKind::terminate(),
            _ = self.hangup.recv() => SignalKind::hangup(),
        };
        Came::End(u8::try_from(kind.as_raw_value()).unwrap_or_default())
    }
}

/// A terminal that does not show what is typed, until this is dropped.
pub(crate) struct Prompt {
    terminal: File,
    before: Termios,
    silent: Termios,
    runtime: Runtime,
    signals: Signals,
}

impl Prompt {
    /// Has the terminal of this program show nothing.
    pub(crate) fn new() -> io::Result<Prompt> {
        let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let signals = {
            let _inside = runtime.enter();
            Signals::new()?
        };
        let before = tcgetattr(&terminal)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        silent.local_modes.insert(LocalModes::ECHONL);
        let prompt = Prompt {
            terminal,
            before,
            silent,
            runtime,
            signals,
        };
        // Flushed: what was typed ahead has been shown, and is no password.
        tcsetattr(&prompt.terminal, OptionalActions::Flush, &prompt.silent)?;
        Ok(prompt)
    }

    /// Asks for one line of at most so many bytes.
    ///
    /// # Errors
    /// [`PromptError`].
    pub(crate) fn ask(&mut self, question: &str, bytes_max: u64) -> Result<String, PromptError> {
        write!(self.terminal, "{question}")?;
        self.terminal.flush()?;
        let input = self.terminal.try_clone()?;
        let (tell, told) = oneshot::channel();
        // It may wait for ever, and is ended with the program then.
        thread::Builder::new()
            .name("prompt".to_owned())
            .spawn(move || {
                // With the end of its line, and one more: what is longer is refused, not cut.
                let mut input = BufReader::new(input.take(bytes_max + 2));
                let mut line = Vec::new();
                let read = input.read_until(b'\n', &mut line).map(|_| line);
                // Where a signal was first, nobody listens.
                let _late = tell.send(read);
            })?;
        let line = self.wait_for(told, question);
        if let Err(PromptError::Interrupted(_)) = line {
            // The cursor stands behind the question.
            writeln!(self.terminal)?;
        }
        let mut line = line??;
        if line.is_empty() {
            writeln!(self.terminal)?;
            return Err(PromptError::Ended);
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        if line.len() as u64 > bytes_max {
            return Err(PromptError::Long(bytes_max));
        }
        String::from_utf8(line).map_err(|_| PromptError::NotText)
    }

    /// Waits for a line that is being read, or a signal.
    fn wait_for<T>(
        &mut self,
        mut told: oneshot::Receiver<T>,
        question: &str,
    ) -> Result<T, PromptError> {
        let Prompt {
            terminal,
            silent,
            runtime,
            signals,
            ..
        } = self;
        runtime.block_on(async {
            loop {
                tokio::select! {
                    line = &mut told => return line.map_err(|_| PromptError::Ended),
                    came = signals.wait() => match came {
                        Came::End(number) => return Err(PromptError::Interrupted(number)),
                        Came::Continue => {
                            tcsetattr(&*terminal, OptionalActions::Flush, silent)
                                .map_err(io::Error::from)?;
                            write!(terminal, "{question}")?;
                        }
                    }
                }
            }
        })
    }
}

impl Drop for Prompt {
    fn drop(&mut self) {
        // What was typed and not read is of the password: a shell must not get it.
        let _gone = tcsetattr(&self.terminal, OptionalActions::Flush, &self.before);
    }
}
