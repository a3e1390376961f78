import type { Redis } from 'ioredis'
import type { Pool } from 'pg'
import type { Out } from '../output/out.ts'
import type { DashboardApi } from './dashboard-api.ts'
import type { ExitCode } from './exit-code.ts'
import type { Given } from './given.ts'
import type { Operand, Option } from './option.ts'

/**
 * One verb of the command line, as data from which arguments are parsed and help and completion are
 * made.
 */
export interface Command {
  /** `keys get`. */
  readonly path: string
  /** One line, without a full stop. */
  readonly summary: string
  /** More for `--help`: plain sentences. */
  readonly details?: string
  readonly operands?: readonly Operand[]
  readonly options?: Readonly<Record<string, Option>>
  /** Which servers the verb can work on. */
  readonly server: 'postgres' | 'postgres-or-redis' | 'none'
  /** Whether it can also be asked of a dashboard, with `--url`. */
  readonly viaDashboard?: boolean
  /** An act takes `--actor` and `--note`, and asks before it is done unless there is `--yes`. */
  readonly act?: 'asks' | 'silent'
  /** Whether it watches `signal` and ends by itself when that is aborted. */
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
  /** Opened when first asked for; `main` closes what was opened. */
  postgres(): Pool
  redis(): Redis
  /** The dashboard that `--url` or ONCEKEY_URL names, where the verb can be asked of one. */
  dashboard(): DashboardApi | undefined
  /**
   * Which of PostgreSQL and Redis the command line or the environment names. Throws a usage error
   * if neither is named.
   */
  server(): 'postgres' | 'redis'
  /** The servers' addresses for messages, never with a password. */
  readonly names: { readonly postgres: string | undefined; readonly redis: string | undefined }
  /** Asks for a confirmation unless there was `--yes`; throws where nobody can be asked. */
  confirm(what: string, word: string): Promise<void>
  act(): { readonly actor: string; readonly note: string }
  readStdin(): Promise<Buffer>
}
