import { randomUUID } from 'node:crypto'
import {
  actTarget,
  type Retired,
  type Retirement,
  type RetireOptions,
  retirement,
} from '@oncekey/core'
import { actedIn } from './acts/acted-in.ts'
import { allSlots } from './keys/slot-keys.ts'
import { isRetiredScript } from './scripts/retirement/is-retired.ts'
import { retireScript } from './scripts/retirement/retire.ts'
import {
  beginRetirementScript,
  DONE,
  endRetirementScript,
  findRetirementScript,
} from './scripts/retirement/retirement-mark.ts'
import { setAsideScript } from './scripts/retirement/set-aside.ts'
import type { LogState } from './state/log-state.ts'

/**
 * Deletes a consumer, and then sets its open deliveries aside, in portions that block nobody. The
 * consumer's mark says what is still to be done: if this process dies, the next process that
 * subscribes the name does the rest.
 */
export async function retire(
  log: LogState,
  consumer: string,
  options: RetireOptions | undefined,
): Promise<Retired> {
  const choice = retirement(options)
  const mark = JSON.stringify({ ...choice, id: randomUUID() })
  const { actor, note, remaining } = choice
  await log.ask(beginRetirementScript, {
    consumer,
    mark,
    ...actedIn('retire', { note, ...(actor !== null && { actor }) }),
    target: actTarget('consumer', consumer),
    detail: { remaining },
  })
  await log.askSlots(retireScript, allSlots, (slots) => ({ slots, consumer }))
  const count = await setAside(log, consumer, choice)
  await log.ask(endRetirementScript, { consumer, mark })
  const isKept = choice.remaining === 'keep'
  return { kept: isKept ? count : 0, discarded: isKept ? 0 : count }
}

/**
 * Lets a consumer of a retired name start, after the deliveries of the retired one were set aside.
 */
export async function beginAnew(log: LogState, consumer: string): Promise<void> {
  const mark = await log.ask(findRetirementScript, { consumer })
  if (mark === null) return
  if (mark !== DONE) await setAside(log, consumer, choiceOf(mark))
  await log.ask(isRetiredScript, { consumer, begins: true })
}

async function setAside(log: LogState, consumer: string, choice: Retirement): Promise<number> {
  let total = 0
  // One script at a time, because each script blocks the server for everybody else.
  for (const slot of allSlots) {
    let from = '0'
    do {
      const { next, count } = await log.ask(setAsideScript, { slot, consumer, from, choice })
      total += count
      from = next
    } while (from !== '0')
  }
  return total
}

function choiceOf(mark: string): Retirement {
  return retirement(mark === '' ? {} : JSON.parse(mark))
}
