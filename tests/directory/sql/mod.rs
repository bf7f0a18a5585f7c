// SPDX-License-Identifier: GPL-3.0-or-later
//! Directories of type `sql` against PostgreSQL, MariaDB and SQLite.

mod answers;
mod examples;
mod failures;
mod heard;
mod peer;
mod rig;
mod sync;
