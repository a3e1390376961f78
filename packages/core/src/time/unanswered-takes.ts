import { setImmediate as nextTurn } from 'node:timers/promises'

/**
 * Questions that take work for this process: a claim, a take, a start. If one gets no answer, its
 * work may be ours without our knowing, and when the leases end it counts as lost with a process
 * that died. Enough of that, and it counts as poison, only because the database was slow. So what
 * such a question took is given back before the next one is asked, or at a stop.
 */
export interface UnansweredTakes {
  /**
   * Asks a question that takes work. Whoever asks has to say at once what it got. Resolves with
   * `undefined` if the question is no longer to be asked when it is its turn (`isOver`). `isNamed`:
   * it takes work that `giveBack` leaves alone meanwhile, and may be under way beside it.
   */
  taking<T>(
    ask: () => Promise<T>,
    how: { readonly isOver: () => boolean; readonly isNamed?: boolean },
  ): Promise<T | undefined>
  /**
   * Gives back what was taken without an answer, if there is any and no question is under way whose
   * work would be given back with it.
   */
  giveBack(): Promise<void>
}

/**
 * `giveBack` gives back everything that this process was given and does not know of. Where it may
 * never succeed, because it reads too much, `leaseMs` says how long a question takes work for
 * (milliseconds): what could not be given back for so long is left to its lease, and counts as lost
 * once. While questions go on getting no answer, that time doubles, so that they do not add up to
 * poison. `left` is called before the next question then: the database may still be at work on the
 * last giving back, which must not find what is taken from now on.
 */
export function unansweredTakes(
  giveBack: () => Promise<unknown>,
  {
    leaseMs = Number.POSITIVE_INFINITY,
    left: onLeft = () => {},
  }: { readonly leaseMs?: number; readonly left?: () => void } = {},
): UnansweredTakes {
  /** Questions under way of which only the answer tells what they take. */
  let underWay = 0
  let failures = 0
  let settled = 0
  /** When what is not given back by then is left to its lease. */
  let leftAt = 0
  /** How often in a row something was left, without an answer in between. */
  let left = 0
  let givingBack: Promise<void> | undefined

  return {
    async taking(ask, { isOver, isNamed = false }) {
      while (isDue()) await giveBackOnce()
      if (isOver()) return undefined
      if (!isNamed) underWay += 1
      const end = (): void => {
        if (!isNamed) underWay -= 1
      }
      try {
        const answer = await ask()
        left = 0
        // Until then, whoever asked has said what it got.
        setImmediate(end)
        return answer
      } catch (error) {
        failures += 1
        leftAt = performance.now() + leaseMs * 2 ** left
        end()
        throw error
      }
    },
    async giveBack() {
      // A question whose answer was heard in this turn of the event loop is under way until the
      // next.
      await nextTurn()
      while (isDue()) await giveBackOnce()
    },
  }

  function isDue(): boolean {
    if (givingBack !== undefined) return true
    if (failures === settled || underWay > 0) return false
    if (performance.now() < leftAt) return true
    settled = failures
    left += 1
    onLeft()
    return false
  }

  /**
   * Once for all who ask meanwhile, so that nothing is taken before it is over: it would give back
   * what is taken after it read what is known. Nor may anybody wait between the check and the
   * question.
   */
  function giveBackOnce(): Promise<void> {
    givingBack ??= giveBackNow().finally(() => {
      givingBack = undefined
    })
    return givingBack
  }

  async function giveBackNow(): Promise<void> {
    const upTo = failures
    await giveBack()
    settled = upTo
  }
}
