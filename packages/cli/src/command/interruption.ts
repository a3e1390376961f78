import { visible } from '../output/visible.ts'
import type { Command } from './command.ts'
import { ExitCode } from './exit-code.ts'

/**
 * Handles SIGINT and SIGTERM. The first one gives a verb that ends by itself some seconds to do so;
 * the second one ends the process at once. Either says what is left behind, once. `end` says that
 * the verb has ended, so that nobody is waited for any longer.
 */
export function interruption({ act, endsItself }: Command): Interruption {
  const controller = new AbortController()
  /** Whether a person is being asked for a confirmation, so that nothing is under way. */
  const asking = { now: false }
  let left = LOOK
  const tell = (text: string) => process.stderr.write(`oncekey: ${visible(text)}\n`)
  let isTold = false
  const tellLeft = (): void => {
    if (!isTold) tell(`Interrupted: ${left}`)
    isTold = true
  }
  let grace: NodeJS.Timeout | undefined
  const exitCode = new Promise<ExitCode>((resolve) => {
    const end = (): void => {
      if (controller.signal.aborted) {
        if (grace !== undefined && act !== undefined) tellLeft()
        process.exit(ExitCode.interrupted)
      }
      controller.abort()
      if (endsItself && !asking.now) {
        grace = setTimeout(() => {
          if (act !== undefined) tellLeft()
          resolve(ExitCode.interrupted)
        }, GRACE_MS)
        return
      }
      if (asking.now) process.stderr.write('\noncekey: Not confirmed: nothing was changed.\n')
      else if (act !== undefined) tellLeft()
      resolve(ExitCode.interrupted)
    }
    process.on('SIGINT', end)
    process.on('SIGTERM', end)
  })
  const leaves = (what: string): void => {
    left = what
  }
  const tellUnanswered = (): void => {
    if (left !== LOOK) tell(left)
  }
  const endOfVerb = (): void => {
    clearTimeout(grace)
    grace = undefined
  }
  return {
    signal: controller.signal,
    exitCode,
    asking,
    leaves,
    tell,
    tellLeft,
    tellUnanswered,
    end: endOfVerb,
  }
}

/** What an interrupted act leaves behind, unless it says more. */
const LOOK = 'what was under way may have been done. Look before you repeat it.'

export interface Interruption {
  readonly signal: AbortSignal
  readonly exitCode: Promise<ExitCode>
  /** Whether a person is being asked for a confirmation, so that nothing is under way. */
  readonly asking: { now: boolean }
  /** Says what an interruption leaves behind from now on. */
  leaves(what: string): void
  tell(text: string): void
  tellLeft(): void
  /** Says it after an error by which nobody knows whether the act was done. */
  tellUnanswered(): void
  end(): void
}

const GRACE_MS = 5_000
