import type { ExecutionContext } from '@nestjs/common'
import type { Coverage, Coverages } from '../routes/coverage.ts'
import type { RequestedVersion } from '../routes/requested-version.ts'

/** The parts of the application that the guard needs. */
export interface Runtime {
  readonly coverages: Coverages
  /** How a key is claimed on the platform that Nest runs on; set when the application begins. */
  claim: Claim | undefined
  /** Which version of a route a request asks for; set when the application begins. */
  versionOf: RequestedVersion | undefined
}

/**
 * Resolves when the handler may go on; its response is held back from then on. Never resolves if a
 * replay or a problem was sent instead: nothing else of the route runs, and nothing waits for it.
 * `parts` are facts beside method and URL by which Nest chose this route.
 */
export type Claim = (
  context: ExecutionContext,
  coverage: Coverage,
  parts: readonly string[] | undefined,
) => Promise<void>

/**
 * The injection token. Its text is advice, because Nest prints it in its error if no module
 * provides the token.
 */
export const RUNTIME = 'IdempotencyModule.forRoot({ store, scope })'
