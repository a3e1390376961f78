import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { findProgram } from './program.ts'

/** A wall clock for one program, which a test can set. */
export interface Clock {
  /** Variables for the program's environment. */
  readonly env: Readonly<Record<string, string>>
  /** How far it is ahead of the machine's clock, or behind it. */
  shift(seconds: number): void
  remove(): void
}

export interface ClockOptions {
  /**
   * When the program notices that its clock was set: at each reading of the clock, which makes a
   * reading ten times as expensive, or once a second. @default 'each time'
   */
  readonly looks?: 'each time' | 'every second'
}

/**
 * Uses libfaketime. Timers and waits still follow the real clock, as they do when a host's clock is
 * set. But a signal that arrives during a wait finds the real clock: while the program's clock is
 * ahead, a Postgres that waits for a lock does not notice that its `lock_timeout` is over.
 */
export async function startClock({ looks = 'each time' }: ClockOptions = {}): Promise<Clock> {
  const program = await findProgram({
    program: 'faketime',
    debianPackage: 'faketime',
    missing: 'Steps of the clock are made with faketime. Install the package "faketime".',
  })
  const folder = mkdtempSync(join(tmpdir(), 'oncekey-clock-'))
  // Servers started by root run as another user. If that user cannot read the folder, they silently
  // use the real clock.
  chmodSync(folder, 0o755)
  const file = join(folder, 'offset')
  const shift = (seconds: number): void =>
    writeFileSync(file, `${seconds < 0 ? '' : '+'}${seconds}\n`, { mode: 0o644 })
  shift(0)
  return {
    env: {
      LD_PRELOAD: libraryOf(program),
      FAKETIME_TIMESTAMP_FILE: file,
      ...(looks === 'each time' ? { FAKETIME_NO_CACHE: '1' } : { FAKETIME_CACHE_DURATION: '1' }),
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      // Otherwise each `stat` of all the program's processes takes one semaphore that they share. A
      // process that is killed in between keeps it, and the others wait for ever: a Postgres that
      // was told to stop never did.
      NO_FAKE_STAT: '1',
    },
    shift,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

function libraryOf(program: string): string {
  const root = dirname(dirname(program))
  const folders = ['lib/x86_64-linux-gnu', 'lib/aarch64-linux-gnu', 'lib']
  const paths = folders.map((folder) => join(root, folder, 'faketime', 'libfaketimeMT.so.1'))
  const found = paths.find((path) => existsSync(path))
  if (found === undefined) throw new Error(`There is no libfaketimeMT.so.1 at ${paths.join(', ')}`)
  return found
}
