// SPDX-License-Identifier: GPL-3.0-or-later
//! Roof: the commands, and the service that wires the rooms together.

pub mod assemble;
