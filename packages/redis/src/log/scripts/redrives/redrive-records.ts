import type { Redrive } from '@oncekey/core'
import { integerIn, listIn, type Script, script, textIn, wordIn } from '../../../client/script.ts'
import { redriveKeys } from '../../keys/slot-keys.ts'
import { cancelRedriveLua, findRedrivesLua, listPortionsLua, startRedriveLua } from './lua.ts'

const keys = (): string[] => [redriveKeys.redrives]
const keysOfAct = (): string[] => [redriveKeys.redrives, redriveKeys.operations]

/**
 * Puts a redrive on record with an audit entry, and returns its id. If a redrive was started with
 * the same name before, returns the id of that one. Also deletes the redrive that is a thousand ids
 * older, if it has ended.
 */
export const startRedriveScript: Script<StartRedriveQuestion, string> = script({
  name: 'start-redrive',
  text: startRedriveLua,
  keys: keysOfAct,
  args: ({ requestId, filter, rate, most, matched, actor, note, detail }) => [
    requestId ?? '',
    filter,
    rate,
    most ?? '',
    matched,
    actor,
    note,
    detail,
    MOST_KEPT,
  ],
  reply: textIn,
})

export interface StartRedriveQuestion {
  readonly requestId: string | undefined
  /** JSON. */
  readonly filter: string
  readonly rate: number
  readonly most: number | null
  readonly matched: number
  readonly actor: string
  readonly note: string
  /** JSON. */
  readonly detail: string
}

const MOST_KEPT = 1_000

/** Reads redrives in descending order, from an id or from the newest. Deleted ones are left out. */
export const findRedrivesScript: Script<FindRedrivesQuestion, Redrive[]> = script({
  name: 'find-redrives',
  text: findRedrivesLua,
  keys,
  args: ({ from, count }) => [from ?? '', count],
  reply: (raw) => listIn(raw).map(redriveIn),
})

export interface FindRedrivesQuestion {
  readonly from: number | undefined
  readonly count: number
}

function redriveIn(raw: unknown): Redrive {
  const [id, kind, filter, rate, most, state, matched, redriven, refused, actor, note, ...times] =
    listIn(raw).map(textIn) as [string, ...string[]]
  const [startedAt, endedAt] = times
  return {
    id,
    source: 'consumers',
    kind: wordIn(kind, ['dead-letters', 'window']),
    filter: JSON.parse(filter ?? ''),
    ratePerSecond: Number(rate),
    limit: most === '' ? null : Number(most),
    state: wordIn(state, ['running', 'done', 'cancelled']),
    matched: Number(matched),
    redriven: Number(redriven),
    refused: Number(refused),
    actor: actor ?? '',
    note: note ?? '',
    startedAt: new Date(integerIn(startedAt)),
    endedAt: endedAt === '' ? null : new Date(integerIn(endedAt)),
  }
}

/** Reads what a redrive took: for each portion the time, and the letters as JSON. */
export const listPortionsScript: Script<ListPortionsQuestion, { at: number; taken: string }[]> =
  script({
    name: 'list-portions',
    text: listPortionsLua,
    keys,
    args: ({ id, skip, count }) => [id, skip, count],
    reply: (raw) =>
      listIn(raw).map((each) => {
        const text = textIn(each)
        const end = text.indexOf(' ')
        return { at: Number(text.slice(0, end)), taken: text.slice(end + 1) }
      }),
  })

export interface ListPortionsQuestion {
  readonly id: string
  readonly skip: number
  readonly count: number
}

/** Ends a running redrive and writes the audit entry. */
export const cancelRedriveScript: Script<CancelRedriveQuestion, 'cancelled' | 'over' | 'unknown'> =
  script({
    name: 'cancel-redrive',
    text: cancelRedriveLua,
    keys: keysOfAct,
    args: ({ id, actor, note }) => [id, actor, note],
    reply: (raw) => wordIn(raw, ['cancelled', 'over', 'unknown']),
  })

export interface CancelRedriveQuestion {
  readonly id: string
  readonly actor: string
  readonly note: string
}
