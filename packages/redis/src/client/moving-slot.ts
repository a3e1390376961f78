import { sleep } from '@oncekey/core'

/** How long a command may be sent again, and what it was answered before. */
export interface Patience {
  /** By `performance.now()`. */
  readonly until: number
  /** The refusal after which it was sent again. */
  refusal: Error | undefined
}

/**
 * Sends a command of a Cluster again while the hash slot of its keys is being moved. Until all of
 * the slot's keys are on one node, Redis refuses every command that names several of them, and a
 * script of ours names a record, its result and its stream. A refused command was not carried out.
 * ioredis itself goes on for `maxRedirections`, which is less than a second.
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

/** What is said where the time was up. Without the refusal it is as if no node had answered. */
export function slotMoves({ message }: Error): Error {
  return new Error(
    'the hash slot of this key is being moved between nodes, and until that is done Redis takes no ' +
      `command about several of its keys: ${message}`,
  )
}

const PAUSE_MS = 50

/** ioredis says the last refusal behind words of its own once it has tried often enough. */
const MOVING = /^(Too many Cluster redirections\. Last error: \w+: )?(MOVED|ASK|TRYAGAIN) /
