import { sleep } from '@oncekey/core'

/** How long a command may be sent again, and the last refusal it got. */
export interface Patience {
  /** By `performance.now()`. */
  readonly until: number
  /** The refusal after which it was sent again. */
  refusal: Error | undefined
}

/**
 * Sends a command of a Cluster again while the hash slot of its keys is being moved. Until all of
 * the slot's keys are on one node, Redis refuses every command that names several of them, and our
 * scripts name a record, its result and its stream. A refused command was not carried out. ioredis
 * itself retries for `maxRedirections`, which is less than a second.
 */
export async function whileMoving<Reply>(
  patience: Patience,
  first: Error,
  send: () => Promise<Reply>,
): Promise<Reply> {
  let refusal = first
  for (;;) {
    patience.refusal = refusal
    if (performance.now() + PAUSE_MS >= patience.until) throw slotMoves(refusal)
    await sleep(PAUSE_MS)
    try {
      return await send()
    } catch (error) {
      if (!isMoving(error)) throw error
      refusal = error
    }
  }
}

/** Whether the command was refused because of where its keys are. */
export function isMoving(error: unknown): error is Error {
  return error instanceof Error && MOVING.test(error.message)
}

/** The error when the time is up. Without a refusal it is the same as if no node had answered. */
export function slotMoves({ message }: Error): Error {
  return new Error(
    'the hash slot of this key is being moved between nodes, and until that is done Redis takes no ' +
      `command about several of its keys: ${message}`,
  )
}

const PAUSE_MS = 50

/** After its last redirection, ioredis puts words of its own before the refusal. */
const MOVING = /^(Too many Cluster redirections\. Last error: \w+: )?(MOVED|ASK|TRYAGAIN) /
