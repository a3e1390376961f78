import type { Redis } from 'ioredis'
import type { Pool } from 'pg'
import type { Out } from '../output/out.ts'
import type { DashboardApi } from './dashboard-api.ts'
import type { ExitCode } from './exit-code.ts'
import type { Given } from './given.ts'
import type { Operand, Option } from './option.ts'

/**
 * One verb of the command line, as data. Arguments are parsed by it, and help and completion are
 * made from it.
 */
export interface Command {
  /** The words of the verb, such as `keys get`. */
  readonly path: string
  /** One line, without a full stop. */
  readonly summary: string
  /** More text for `--help`, in plain sentences. */
  readonly details?: string
  readonly operands?: readonly Operand[]
  readonly options?: Readonly<Record<string, Option>>
  /** Which servers the verb can work on. */
  readonly server: 'postgres' | 'postgres-or-redis' | 'none'
  /** Whether the verb can also be sent to a dashboard, with `--url`. */
  readonly viaDashboard?: boolean
  /**
   * Set for an act, which takes `--actor` and `--note`. `asks`: it also asks for a confirmation,
   * unless `--yes` is given.
   */
  readonly act?: 'asks' | 'silent'
  /** Whether the verb watches `signal`, and ends by itself when `signal` is aborted. */
  readonly endsItself?: boolean
  /** Example command lines, without the program's name. */
  readonly examples: readonly string[]
  readonly run: (call: Call) => Promise<ExitCode>
}

/** Everything that a verb's function gets. */
export interface Call {
  readonly given: Given
  readonly out: Out
  /** Aborted by SIGINT and SIGTERM. */
  readonly signal: AbortSignal
  readonly schema: string
  /** The pool, which is opened by the first call. `main` closes it. */
  postgres(): Pool
  redis(): Redis
  /** The dashboard that `--url` or ONCEKEY_URL names, if the verb can be sent to one. */
  dashboard(): DashboardApi | undefined
  /**
   * Which of PostgreSQL and Redis the command line or the environment names. Throws a usage error
   * if neither is named.
   */
  server(): 'postgres' | 'redis'
  /** The servers' addresses for messages, never with a password. */
  readonly names: { readonly postgres: string | undefined; readonly redis: string | undefined }
  /**
   * Asks for a confirmation unless `--yes` was given. Throws if there is no terminal, and the
   * signal's reason if it has aborted, because the verb would go on then.
   */
  confirm(what: string, word: string): Promise<void>
  /**
   * Tells what is on record from now on, or may be, in a sentence: for somebody who interrupts the
   * verb, or where a server does not answer any more.
   */
  leaves(what: string): void
  /** Who acts and why. A dashboard takes the note only. */
  act(): { readonly actor: string; readonly note: string }
  /**
   * Who has acted and why, as it is on record now: through a dashboard the actor that its answer
   * tells, which one of the release before does not.
   */
  onRecord(): { readonly actor: string | undefined; readonly note: string }
  readStdin(): Promise<Buffer>
}
