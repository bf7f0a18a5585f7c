// SPDX-License-Identifier: GPL-3.0-or-later
//! Weeks in the life of a keeper, on a clock that is turned forward: its source fails, comes back, shrinks, is empty; the
//! process starts anew. At every look, those who exist do, and nobody is refused because of us.

use super::{Known, Published, Stop, Task, keep};
use crate::config::{self, Problems};
use crate::directories::{Clock, Complete, Cookie, Extent, Record, Shelf, Sink, Source, SourceError, State};
use crate::mail::{DomainPattern, DomainTable, Mailbox, Recipient};
use crate::policy::{
    self, Answer, Directories, DirectoryId, DomainPolicy, Gateways, Internal, LoopRule, Mode, Policy,
    RecipientRules, Replies, Reputation, Rule, Unlisted, Unready, Verdicts,
};
use crate::store::Stamp;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, sleep};

/// What the source does when it is asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Mood {
    /// It has this many users.
    Has(u32),
    /// Nobody answers.
    Down,
    /// It does not let us in.
    Refuses,
    /// It breaks off after some.
    Breaks,
    /// It has nobody.
    Empty,
}

/// What every source of a test does, and how often it was asked.
#[derive(Debug)]
struct Script {
    mood: Mutex<Mood>,
    asked: AtomicU64,
}

#[derive(Debug)]
struct Stub(Arc<Script>);

#[async_trait::async_trait]
impl Source for Stub {
    async fn sync(&self, _: Option<&Cookie>, sink: &mut dyn Sink) -> Result<Complete, SourceError> {
        self.0.asked.fetch_add(1, Ordering::Relaxed);
        let mood = *self.0.mood.lock().unwrap();
        let users = match mood {
            Mood::Has(users) => users,
            Mood::Down => return Err(SourceError::Unreachable("connection refused".into())),
            Mood::Refuses => return Err(SourceError::Refused("invalid credentials".into())),
            Mood::Breaks => 7,
            Mood::Empty => 0,
        };
        for number in 0..users {
            let address = format!("user{number}@a.example");
            sink.record(Record {
                key: address.as_str().into(),
                addresses: vec![address.into()],
                ..Record::default()
            })?;
        }
        if mood == Mood::Breaks {
            return Err(SourceError::Incomplete("the connection was cut".into()));
        }
        Ok(Complete { extent: Extent::Everything, cookie: None, notes: Vec::new() })
    }
}

/// A simulated installation.
struct World {
    dir: PathBuf,
    script: Arc<Script>,
    clock: Clock,
    policy: Arc<Mutex<Policy>>,
    keys: &'static str,
    running: Option<(Arc<Stop>, tokio::task::JoinHandle<Known>)>,
}

/// As many users as the source has at first.
const USERS: u32 = 200;
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

impl World {
    fn new(keys: &'static str) -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("postern-keep-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let script = Arc::new(Script { mood: Mutex::new(Mood::Has(USERS)), asked: AtomicU64::new(0) });
        let (began, wall) = (Instant::now(), SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000));
        let clock: Clock = Arc::new(move || wall + began.elapsed());
        let policy = Arc::new(Mutex::new(Policy::default()));
        Self { dir, script, clock, policy, keys, running: None }
    }

    fn config(&self) -> config::Config {
        let file = self.dir.join("postern.toml");
        let keys = self.keys;
        let text = format!(
            "state_dir = \"state\"\n[milter]\nlisten = [\"unix:s\"]\n[directory.staff]\ntype = \"list\"\npath = \"x\"\nrefresh = \"15m\"\n\
             {keys}\n[domain.\"a.example\"]\nmode = \"enforce\"\ngateways = \"any\"\ndirectories = [\"staff\"]\n"
        );
        std::fs::write(&file, text).unwrap();
        let mut problems = Problems::default();
        let config = config::read(&file, &mut problems).unwrap();
        config.unwrap_or_else(|| panic!("{}", problems.render(false)))
    }

    fn shelf(&self) -> Shelf {
        Shelf::new(&self.config().state_dir, &Arc::from("staff"))
    }

    fn state(&self) -> State {
        self.shelf().state().unwrap()
    }

    fn be(&self, mood: Mood) {
        *self.script.mood.lock().unwrap() = mood;
    }

    /// Starts the keeper as the service does after a start: with what is on disk.
    fn start(&mut self) {
        let config = self.config();
        let directory = config.directories[0].clone();
        let now = Stamp::from((self.clock)());
        let loaded = self.shelf().load(&directory.rules, now).unwrap();
        let mut directories = Directories::default();
        let id = directories.add(policy::Directory {
            name: Arc::from("staff"),
            recipients: loaded.as_ref().map(|loaded| Arc::clone(&loaded.recipients)),
            overdue: false,
        });
        *self.policy.lock().unwrap() = policy_of(id, directories);
        let script = Arc::clone(&self.script);
        let task = Task {
            directories: vec![directory],
            source_of: Box::new(move |_| Box::new(Stub(Arc::clone(&script)))),
            state_dir: config.state_dir.into(),
            served: config.domains.iter().map(|domain| domain.pattern.clone()).collect(),
            known: loaded.map(|loaded| (Arc::from("staff"), loaded)).into_iter().collect(),
            clock: Arc::clone(&self.clock),
            look: Duration::from_secs(60),
        };
        let policy = Arc::clone(&self.policy);
        let publish = move |published: &[Published]| {
            let mut policy = policy.lock().unwrap();
            let new = published.iter().map(|published| Arc::clone(&published.directory));
            *policy = policy.with_directories(new.collect());
        };
        let stop = Arc::new(Stop::default());
        let keeper = tokio::spawn(keep(task, publish, Arc::clone(&stop)));
        self.running = Some((stop, keeper));
    }

    async fn stop(&mut self) {
        let (stop, keeper) = self.running.take().unwrap();
        stop.say();
        keeper.await.unwrap();
    }

    /// What a decision would be made by.
    fn exists(&self, address: &str) -> (Answer, Rule) {
        let mailbox = Mailbox::parse_strict(address).unwrap();
        let policy = self.policy.lock().unwrap();
        let finding = policy::existence(&policy, &Recipient::at(mailbox)).unwrap();
        (finding.answer, finding.rule)
    }

    /// Lets time go by; after each hour, `hold` says what must be so.
    async fn pass(&self, time: Duration, hold: impl Fn(&Self)) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            sleep(HOUR.min(end - Instant::now())).await;
            hold(self);
        }
    }

    fn users_exist(&self) {
        for user in [0, 1, USERS / 2, USERS - 1] {
            let address = format!("user{user}@a.example");
            assert_eq!(self.exists(&address).0, Answer::Yes, "{address}");
        }
    }

    /// Everybody who should exists, and it is known who does not.
    fn is_certain(&self) {
        self.users_exist();
        assert_eq!(self.exists("nobody@a.example"), (Answer::No, Rule::InNoDirectory));
    }
}

/// A policy for one domain with one directory.
fn policy_of(id: DirectoryId, directories: Directories) -> Policy {
    let domain = DomainPolicy {
        pattern: DomainPattern::parse("a.example").unwrap(),
        mode: Mode::Enforce,
        source: policy::Source::Any,
        directories: vec![id],
        subaddress: "+".into(),
        recipients: RecipientRules::default(),
        unrouted: policy::Unrouted::Pass,
        scan: None,
        verdicts: Verdicts::default(),
        replies: Replies::default(),
    };
    let mut table = DomainTable::default();
    table.insert(domain.pattern.clone(), Arc::new(domain));
    Policy::new(
        Internal::default(),
        Unlisted::default(),
        table,
        Gateways::default(),
        directories,
        LoopRule::default(),
        Reputation::default(),
    )
}

impl Drop for World {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.dir));
    }
}

#[tokio::test(start_paused = true)]
async fn a_week_without_the_source_changes_nothing() {
    // One of them for the whole week; how it fails makes no difference to its length.
    for (mood, days) in [(Mood::Down, 7), (Mood::Refuses, 1), (Mood::Breaks, 1), (Mood::Empty, 1)] {
        let mut world = World::new("");
        world.start();
        assert_eq!(world.exists("nobody@a.example").0, Answer::Unknown, "nothing is known yet");
        world.pass(HOUR, World::is_certain).await;
        world.be(mood);
        let asked = world.script.asked.load(Ordering::Relaxed);
        world.pass(DAY * days, World::is_certain).await;
        let state = world.state();
        assert!(state.trouble.is_some() || state.pending.is_some(), "{mood:?}: {state:?}");
        let age = Stamp::from((world.clock)()).since(state.as_of.unwrap());
        assert!(age >= DAY * days, "{mood:?}: its age is visible: {age:?}");
        let asked = world.script.asked.load(Ordering::Relaxed) - asked;
        let usual = 96 * u64::from(days);
        assert!(
            (usual * 8 / 10..usual * 14 / 10).contains(&asked),
            "{mood:?}: asked {asked} times in {days} days"
        );
        // A start in the middle of it, without the source.
        world.stop().await;
        world.start();
        world.is_certain();
        world.pass(HOUR, World::is_certain).await;
        world.be(Mood::Has(USERS + 1));
        world.pass(HOUR, World::users_exist).await;
        assert_eq!(world.exists(&format!("user{USERS}@a.example")).0, Answer::Yes, "{mood:?}");
        assert_eq!((world.state().trouble, world.state().failures), (None, 0), "{mood:?}");
        world.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn beyond_max_age_nobody_is_refused() {
    let mut world = World::new("max_age = \"1d\"");
    world.start();
    world.pass(HOUR, World::is_certain).await;
    world.be(Mood::Down);
    world.pass(HOUR * 22, World::is_certain).await;
    world.pass(HOUR * 4, World::users_exist).await;
    let overdue = |world: &World| {
        world.users_exist();
        let (answer, rule) = world.exists("nobody@a.example");
        assert_eq!(answer, Answer::Unknown);
        assert!(matches!(rule, Rule::DirectoryUnready { why: Unready::Overdue, .. }), "{rule:?}");
    };
    world.pass(DAY, overdue).await;
    world.be(Mood::Has(USERS));
    world.pass(HOUR, World::users_exist).await;
    world.is_certain();
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn who_is_gone_stays_for_the_grace_and_then_goes_even_without_the_source() {
    let mut world = World::new("removal_grace = \"24h\"");
    world.start();
    world.pass(HOUR, World::is_certain).await;
    world.be(Mood::Has(USERS - 5));
    world.pass(HOUR, World::users_exist).await;
    assert_eq!(world.state().pending, None, "five may always go");
    world.be(Mood::Down);
    world.pass(HOUR * 22, World::users_exist).await;
    world.pass(HOUR * 3, |_| {}).await;
    for user in USERS - 5..USERS {
        assert_eq!(world.exists(&format!("user{user}@a.example")).0, Answer::No);
    }
    assert_eq!(world.exists("user0@a.example").0, Answer::Yes);
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_shrink_waits_for_a_word_and_a_rollback_stays() {
    let mut world = World::new("removal_grace = \"0s\"");
    world.start();
    world.pass(HOUR, World::is_certain).await;
    world.be(Mood::Has(USERS / 2));
    world.pass(DAY, World::is_certain).await;
    assert!(world.state().pending.is_some());
    let now = Stamp::from((world.clock)());
    world.shelf().accept(false, now).unwrap();
    world.pass(HOUR, |_| {}).await;
    assert_eq!(
        world.exists(&format!("user{}@a.example", USERS - 1)).0,
        Answer::No,
        "accepted beside the keeper"
    );
    world.shelf().rollback(None, now).unwrap();
    world.pass(DAY, World::is_certain).await;
    assert!(world.state().pinned.is_some() && world.state().pending.is_some());
    world.stop().await;
}
