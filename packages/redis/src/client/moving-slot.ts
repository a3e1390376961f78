import { sleep } from '@oncekey/core'

/** How long a command may be sent again, and the last refusal it got. */
export interface Patience {
  /** The end of the time, by `performance.now()`. */
  readonly until: number
  /**
   * The error with which Redis last refused the command; undefined if it has not refused it yet.
   */
  refusal: Error | undefined
}

/**
 * Sends a command to a Cluster again while the hash slot of its keys is being moved to another
 * node. Until all keys of the slot are there, Redis refuses every command that names several of
 * them, and our scripts name a record, its result and its stream. A refused command was not carried
 * out. ioredis itself retries at most `maxRedirections` times, which takes less than a second.
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

/** Whether the command was refused because its keys are on another node or are being moved. */
export function isMoving(error: unknown): error is Error {
  return error instanceof Error && MOVING.test(error.message)
}

/**
 * The error when the time is over and the last reply was a refusal because of the move. If there
 * was no refusal, no node has replied, and the caller throws its timeout error instead.
 */
export function slotMoves({ message }: Error): Error {
  const text =
    'the hash slot of this key is being moved between nodes, and until that is done Redis takes no ' +
    `command about several of its keys: ${message}`
  return Object.assign(new Error(text), { name: 'SlotMoves' })
}

const PAUSE_MS = 50

/** After its last redirection, ioredis puts its own words before the server's message. */
const MOVING = /^(Too many Cluster redirections\. Last error: \w+: )?(MOVED|ASK|TRYAGAIN) /
