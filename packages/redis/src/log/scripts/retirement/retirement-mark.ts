import { integerIn, type Script, script, textIn, wordIn } from '../../../client/script.ts'
import { partitionKeys, relaysKey, retiredKey } from '../../keys/slot-keys.ts'
import { beginRetirementLua, endRetirementLua, findRetirementLua } from './lua.ts'

/**
 * The mark that a consumer was retired. While its deliveries are to be set aside, the mark is JSON
 * that says how; afterwards it is 'done'. An empty mark was written by an earlier release, which
 * sets no deliveries aside.
 */
export const DONE = 'done'

/** Reads the mark of a consumer; `null` if there is none. */
export const findRetirementScript: Script<{ readonly consumer: string }, string | null> = script({
  name: 'find-retirement',
  text: findRetirementLua,
  keys: ({ consumer }) => [retiredKey(consumer)],
  args: () => [],
  reply(raw) {
    const text = textIn(raw)
    return text === '' ? null : text.slice('retired:'.length)
  },
})

/**
 * Marks a consumer as retired, so that its missing cursors do not count as lost. Also deletes its
 * relays, its record of types and its pause, and writes an audit entry.
 */
export const beginRetirementScript: Script<BeginRetirementQuestion, 'noted'> = script({
  name: 'begin-retirement',
  text: beginRetirementLua,
  keys({ consumer }) {
    const { subscriptions, paused, operations } = partitionKeys(consumer)
    return [retiredKey(consumer), relaysKey(consumer), subscriptions, paused, operations]
  },
  args: ({ mark, actor, target, note, detail }) => [
    mark,
    MARK_KEPT_MS,
    actor,
    target,
    note,
    JSON.stringify(detail),
  ],
  reply: (raw) => wordIn(raw, ['noted']),
})

/** Marks the retirement as done, unless the name was subscribed or retired again meanwhile. */
export const endRetirementScript: Script<RetirementQuestion, boolean> = script({
  name: 'end-retirement',
  text: endRetirementLua,
  keys: ({ consumer }) => [retiredKey(consumer)],
  args: ({ mark }) => [mark, DONE, MARK_KEPT_MS],
  reply: (raw) => integerIn(raw) === 1,
})

export interface RetirementQuestion {
  readonly consumer: string
  readonly mark: string
}

export interface BeginRetirementQuestion extends RetirementQuestion {
  readonly actor: string
  readonly target: string
  readonly note: string
  readonly detail: Readonly<Record<string, unknown>>
}

/** Long enough for every process that still runs the consumer to be restarted. */
const MARK_KEPT_MS = 7 * 24 * 60 * 60 * 1000
