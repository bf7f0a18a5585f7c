// SPDX-License-Identifier: GPL-3.0-or-later
//! Hours of looking, in no time: how often each host is looked at, which order is in force at each minute, what a reload
//! takes over.

use super::super::probe::Tls;
use super::*;
use std::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// Hosts that are told when to be down.
#[derive(Default)]
struct Play {
    down: Mutex<Vec<NextHop>>,
    /// Hosts that never answer.
    stuck: Mutex<Vec<NextHop>>,
    /// When each was looked at.
    looks: Mutex<Vec<(NextHop, Instant)>>,
    /// Which are being looked at now.
    busy: Mutex<Vec<NextHop>>,
    /// How many there were at one time.
    most: Mutex<usize>,
}

/// A look under way, until it is over or broken off.
struct Inside<'a>(&'a Play, NextHop);

impl<'a> Inside<'a> {
    fn enter(play: &'a Play, hop: &NextHop) -> Self {
        let mut busy = play.busy.lock().unwrap();
        assert!(!busy.contains(hop), "{hop} is looked at twice at one time");
        busy.push(hop.clone());
        let mut most = play.most.lock().unwrap();
        *most = busy.len().max(*most);
        Self(play, hop.clone())
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.busy.lock().unwrap().retain(|hop| *hop != self.1);
    }
}

impl Look for Arc<Play> {
    async fn look(&self, hop: &NextHop, _: &TlsWish) -> Looked {
        self.looks.lock().unwrap().push((hop.clone(), Instant::now()));
        let _inside = Inside::enter(self, hop);
        if self.stuck.lock().unwrap().contains(hop) {
            sleep(LIMIT * 2).await;
        }
        sleep(Duration::from_millis(300)).await;
        let fine = Outcome::Fine { banner: "220 x".into(), tls: Tls::NotAsked { offered: false } };
        let outcome = if self.down.lock().unwrap().contains(hop) { Outcome::Refused } else { fine };
        Looked { visits: vec![Visit { host: hop.to_string(), address: None, steps: Vec::new(), outcome }] }
    }
}

impl Play {
    fn looks_at(&self, hop: &NextHop) -> Vec<Instant> {
        let looks = self.looks.lock().unwrap();
        looks.iter().filter(|(host, _)| host == hop).map(|(_, at)| *at).collect()
    }

    fn set_down(&self, hosts: &str) {
        *self.down.lock().unwrap() = hosts.chars().map(hop).collect();
    }
}

fn hop(name: char) -> NextHop {
    NextHop::parse(&format!("{name}.example")).unwrap()
}

fn watched(name: &str, hosts: &str, every: u64) -> Watched {
    Watched {
        name: Arc::from(name),
        hosts: hosts.chars().map(hop).collect(),
        tls: TlsWish::May,
        every: Duration::from_secs(every),
    }
}

/// A keeper at work, and the servers that it has published last.
struct Running {
    servers: Arc<Mutex<Servers>>,
    published: Arc<Mutex<usize>>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<States>,
}

impl Running {
    fn start(play: &Arc<Play>, watched: &[Watched], states: States) -> Self {
        let configured: Servers = watched
            .iter()
            .map(|Watched { name, hosts, tls, .. }| {
                let (name, hosts) = (Arc::clone(name), hosts.clone().into());
                Arc::new(Server { name, hosts, tls: tls.clone(), down: false })
            })
            .collect();
        let servers = Arc::new(Mutex::new(states.compose(&configured, watched)));
        let published = Arc::new(Mutex::new(0));
        let (in_force, count, all) = (Arc::clone(&servers), Arc::clone(&published), watched.to_vec());
        let publish = move |states: &States, changed: bool| {
            if changed {
                *count.lock().unwrap() += 1;
                let mut servers = in_force.lock().unwrap();
                *servers = states.compose(&servers, &all);
            }
        };
        let (stop, stopped) = oneshot::channel();
        let clock = Box::new(|| SystemTime::UNIX_EPOCH);
        let look = Arc::new(Arc::clone(play));
        let task = tokio::spawn(keep((watched.to_vec(), states), look, clock, publish, stopped));
        Self { servers, published, stop, task }
    }

    /// The order in force, one letter for each host, and whether the server is down.
    fn order(&self, name: &str) -> (String, bool) {
        let servers = self.servers.lock().unwrap();
        let server = servers.iter().find(|server| *server.name == *name).unwrap();
        let first = |hop: &NextHop| hop.to_string().chars().next().unwrap();
        (server.hosts.iter().map(first).collect(), server.down)
    }

    async fn stop(self) -> States {
        drop(self.stop);
        self.task.await.unwrap()
    }
}

async fn minutes(minutes: u64) {
    sleep(Duration::from_secs(minutes * 60)).await;
}

#[tokio::test(start_paused = true)]
async fn hosts_step_back_and_return_in_their_order() {
    let play = Arc::new(Play::default());
    let running =
        Running::start(&play, &[watched("one", "abc", 30), watched("two", "xa", 30)], States::default());
    for (down, want, is_down) in [
        ("", "abc", false),
        ("a", "bca", false),
        ("ab", "cab", false),
        ("abc", "abc", true),
        ("ac", "bac", false),
        ("", "abc", false),
    ] {
        play.set_down(down);
        minutes(3).await;
        assert_eq!(running.order("one"), (want.to_owned(), is_down), "down: {down}");
        assert_eq!(running.order("two"), ("xa".to_owned(), false), "its last host is where it was");
    }
    // Only what changes the order is put in force.
    let published = *running.published.lock().unwrap();
    minutes(60).await;
    assert_eq!(*running.published.lock().unwrap(), published);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn one_failure_alone_changes_nothing() {
    let play = Arc::new(Play::default());
    let running = Running::start(&play, &[watched("one", "ab", 600)], States::default());
    for _ in 0..5 {
        // Down for one look, up for the next.
        let before = play.looks_at(&hop('a')).len();
        play.set_down("a");
        while play.looks_at(&hop('a')).len() == before {
            sleep(Duration::from_secs(1)).await;
        }
        sleep(Duration::from_secs(1)).await;
        play.set_down("");
        while play.looks_at(&hop('a')).len() == before + 1 {
            sleep(Duration::from_secs(1)).await;
        }
        sleep(Duration::from_secs(1)).await;
        assert_eq!(running.order("one"), ("ab".to_owned(), false));
    }
    assert_eq!(*running.published.lock().unwrap(), 0);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn no_host_is_looked_at_too_often_whatever_is_configured() {
    let play = Arc::new(Play::default());
    // Every server has it, at intervals that nobody should write.
    let all = [
        watched("one", "ab", 0),
        watched("two", "ba", 1),
        watched("three", "a", 5),
        watched("four", "z", 60),
    ];
    let mut states = States::default();
    for _ in 0..20 {
        let running = Running::start(&play, &all, states);
        sleep(Duration::from_secs(31)).await;
        // A reload does not begin anew either.
        states = running.stop().await;
    }
    for (name, least, most) in [('a', 60, 124), ('b', 60, 124)] {
        let looks = play.looks_at(&hop(name));
        assert!((least..=most).contains(&looks.len()), "{name}: {} looks", looks.len());
        for pair in looks.windows(2) {
            assert!(pair[1] - pair[0] >= SHORTEST, "{name}: {:?}", pair[1] - pair[0]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn intervals_are_kept_give_or_take_a_tenth() {
    let play = Arc::new(Play::default());
    let running = Running::start(&play, &[watched("one", "ab", 100)], States::default());
    minutes(100).await;
    running.stop().await;
    let looks = play.looks_at(&hop('a'));
    assert!((52..=68).contains(&looks.len()), "{}", looks.len());
    let pauses: Vec<u64> = looks.windows(2).map(|pair| (pair[1] - pair[0]).as_secs()).collect();
    assert!(pauses.iter().all(|pause| (90..=111).contains(pause)), "{pauses:?}");
    assert!(pauses.iter().any(|pause| *pause != pauses[0]), "no jitter: {pauses:?}");
}

#[tokio::test(start_paused = true)]
async fn hosts_that_never_answer_hold_up_nobody_else_for_ever() {
    let play = Arc::new(Play::default());
    // More of them than are looked at at one time.
    let stuck: String = ('b'..='z').collect();
    *play.stuck.lock().unwrap() = stuck.chars().map(hop).collect();
    let running =
        Running::start(&play, &[watched("one", &stuck, 5), watched("two", "a", 5)], States::default());
    minutes(60).await;
    let looks = play.looks_at(&hop('a')).len();
    assert!(looks >= 10, "{looks}");
    assert_eq!(*play.most.lock().unwrap(), AT_ONCE);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_reload_takes_over_hosts_that_stay() {
    let play = Arc::new(Play::default());
    play.set_down("a");
    let running =
        Running::start(&play, &[watched("one", "abc", 30), watched("gone", "q", 30)], States::default());
    minutes(3).await;
    assert_eq!(running.order("one").0, "bca");
    let states = running.stop().await;
    let before = play.looks.lock().unwrap().len();
    // At once, before anybody has looked again.
    let running = Running::start(&play, &[watched("one", "dab", 30)], states);
    assert_eq!(running.order("one").0, "dba");
    tokio::task::yield_now().await;
    let states = running.stop().await;
    assert_eq!(play.looks.lock().unwrap().len(), before);
    assert!(states.hosts.keys().all(|(name, _)| &**name == "one"), "{states:?}");
    assert!(states.host(&"one".into(), &hop('a')).is_back());
    // Another server of that host knows nothing of it.
    let running = Running::start(&play, &[watched("new", "ab", 30)], states);
    assert_eq!(running.order("new").0, "ab");
    running.stop().await;
}
