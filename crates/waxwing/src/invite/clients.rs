//! Apps that people are advised to take, by what their browser says it runs on.

/// What somebody's machine runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum System {
    Android,
    Ios,
    Mac,
    Windows,
    Linux,
}

/// A program.
pub(super) struct Client {
    pub(super) name: &'static str,
    pub(super) url: &'static str,
}

const fn client(name: &'static str, url: &'static str) -> Client {
    Client { name, url }
}

impl System {
    /// All, in the order in which they are shown.
    pub(super) const ALL: [System; 5] = [
        System::Android,
        System::Ios,
        System::Mac,
        System::Windows,
        System::Linux,
    ];

    /// By the words of a browser. Those of Android say Linux too, and those of iPhones Mac OS X.
    pub(super) fn of(agent: &str) -> Option<System> {
        let words: [(&str, System); 7] = [
            ("Android", System::Android),
            ("iPhone", System::Ios),
            ("iPad", System::Ios),
            ("Macintosh", System::Mac),
            ("Windows", System::Windows),
            ("Linux", System::Linux),
            ("X11", System::Linux),
        ];
        let mut words = words.into_iter();
        words
            .find(|(word, _)| agent.contains(word))
            .map(|(_, system)| system)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            System::Android => "Android",
            System::Ios => "iPhone and iPad",
            System::Mac => "macOS",
            System::Windows => "Windows",
            System::Linux => "Linux",
        }
    }

    /// What there is for it.
    pub(super) fn clients(self) -> &'static [Client] {
        const ANDROID: &[Client] = &[
            client("Conversations", "https://conversations.im/"),
            client("Cheogram", "https://cheogram.com/"),
        ];
        const IOS: &[Client] = &[
            client("Monal", "https://monal-im.org/"),
            client("Siskin IM", "https://siskin.im/"),
        ];
        const MAC: &[Client] = &[
            client("Monal", "https://monal-im.org/"),
            client("Beagle IM", "https://beagle.im/"),
        ];
        const WINDOWS: &[Client] = &[client("Gajim", "https://gajim.org/")];
        const LINUX: &[Client] = &[
            client("Dino", "https://dino.im/"),
            client("Gajim", "https://gajim.org/"),
            client("Profanity", "https://profanity-im.github.io/"),
        ];
        match self {
            System::Android => ANDROID,
            System::Ios => IOS,
            System::Mac => MAC,
            System::Windows => WINDOWS,
            System::Linux => LINUX,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_say_what_they_run_on() {
        for (agent, system) in [
            (
                "Mozilla/5.0 (Linux; Android 15; Pixel 9)",
                Some(System::Android),
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X)",
                Some(System::Ios),
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)",
                Some(System::Mac),
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64)",
                Some(System::Windows),
            ),
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0)",
                Some(System::Linux),
            ),
            ("curl/8.14.1", None),
            ("", None),
        ] {
            assert_eq!(System::of(agent), system, "{agent}");
        }
    }
}
