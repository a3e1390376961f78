import {
  boundedPage,
  checkKeyFilter,
  checkPageLimit,
  type KeyFilter,
  type KeyPage,
  type KeyPageRequest,
  type KeySummary,
  rowsToRead,
} from '@oncekey/core'
import { checkText } from '../sql/claim-key.ts'
import { pageToken, partsOfToken } from '../sql/page-token.ts'
import type { Statement } from '../sql/sql-client.ts'
import {
  attemptsByTime,
  type KeyRow,
  keysByName,
  recordsByTime,
  type TimeCursor,
} from './statements/keys.ts'

type Ask = <Row>(statement: Statement<Row>) => Promise<Row[]>

/** Returns one page of a store's keys. */
export function listKeys(
  ask: Ask,
  schema: string,
  filter: KeyFilter,
  { limit, after }: KeyPageRequest,
): Promise<KeyPage> {
  checkKeyFilter(filter)
  checkPageLimit('keys.list', limit)
  const { namespace, scope, keyPrefix = '' } = filter
  checkText([namespace ?? '', scope ?? '', keyPrefix])
  return namespace !== undefined && scope !== undefined
    ? listByName(ask, schema, { ...filter, namespace, scope }, limit, after)
    : listByTime(ask, schema, filter, limit, after)
}

async function listByName(
  ask: Ask,
  schema: string,
  filter: KeyFilter & { readonly namespace: string; readonly scope: string },
  limit: number,
  after: string | undefined,
): Promise<KeyPage> {
  const { namespace, scope, keyPrefix = '', state } = filter
  const [behind = null] = after === undefined ? [] : partsOfToken('keys.list', after, [1])
  // No index covers the state, so rows are read and their state is compared here. The number of
  // rows read is bounded.
  const looked = state === undefined ? limit : rowsToRead(limit)
  const rows = await ask(
    keysByName(schema)({
      namespace,
      scope,
      from: keyPrefix,
      below: endOfPrefix(keyPrefix),
      after: behind,
      limit: looked,
    }),
  )
  return pageOf(rows, looked, limit, filter, ({ key }) => [key])
}

async function listByTime(
  ask: Ask,
  schema: string,
  filter: KeyFilter,
  limit: number,
  after: string | undefined,
): Promise<KeyPage> {
  const cursor =
    after === undefined ? undefined : cursorOf(partsOfToken('keys.list', after, [1, 5]))
  const { state } = filter
  const looked = rowsToRead(limit)
  const wantsAttempts = state === undefined || state === 'running' || state === 'unknown'
  const wantsRecords = state === undefined || state === 'finished' || state === 'result-gone'

  if (wantsAttempts && cursor?.table !== 'records') {
    const rows = await ask(attemptsByTime(schema)(cursor?.at, looked))
    const page = pageOf(rows, looked, limit, filter, (row) => [
      'attempts',
      row.claimed_at ?? '',
      row.namespace,
      row.scope,
      row.key,
    ])
    if (page.next !== undefined || !wantsRecords) return page
    if (page.items.length > 0) return { items: page.items, next: pageToken(['records']) }
  }
  const from = cursor?.table === 'records' ? cursor.at : undefined
  const of = state === 'finished' || state === 'result-gone' ? state : undefined
  const asked = filter.namespace === undefined ? limit : looked
  const rows = await ask(recordsByTime(schema)(of, from, asked))
  return pageOf(rows, asked, limit, filter, (row) => [
    'records',
    row.completed_at ?? '',
    row.namespace,
    row.scope,
    row.key,
  ])
}

/** Makes a page of the rows that match. `looked` is how many rows were to be read. */
function pageOf(
  rows: readonly KeyRow[],
  looked: number,
  limit: number,
  { namespace, state }: KeyFilter,
  placeOfRow: (row: KeyRow) => readonly string[],
): KeyPage {
  const isMeant = (row: KeyRow): boolean =>
    (state === undefined || row.state === state) &&
    (namespace === undefined || row.namespace === namespace)
  const { shown, last } = boundedPage(rows, { read: looked, limit, isMeant })
  return { items: shown.map(summaryOf), next: last && pageToken(placeOfRow(last)) }
}

interface ListCursor {
  readonly table: 'attempts' | 'records'
  readonly at: TimeCursor | undefined
}

function cursorOf([table, at = '', namespace = '', scope = '', key = '']: string[]): ListCursor {
  return {
    table: table === 'attempts' ? 'attempts' : 'records',
    at: at === '' ? undefined : [at, namespace, scope, key],
  }
}

/**
 * The smallest text that sorts after every text with this prefix, in the order of UTF-8's bytes;
 * null if there is none.
 */
function endOfPrefix(prefix: string): string | null {
  const points = [...prefix].map((character) => character.codePointAt(0) ?? 0)
  while (points.length > 0) {
    const last = points.pop() ?? 0
    // U+D800 to U+DFFF are halves of surrogate pairs, not characters, so U+E000 follows U+D7FF.
    const next = last === 0xd7ff ? 0xe000 : last + 1
    if (next <= 0x10ffff) return String.fromCodePoint(...points, next)
  }
  return null
}

export function summaryOf(row: KeyRow): KeySummary {
  const { namespace, scope, key, state, fingerprint } = row
  return {
    namespace,
    scope,
    key,
    state,
    fingerprint,
    attempt:
      row.number === null
        ? null
        : {
            number: Number(row.number),
            claimedAt: timeOf(row.claimed_at),
            leaseUntil: timeOf(row.lease_until),
          },
    status: row.status === null ? null : Number(row.status),
    completedAt: row.completed_at === null ? null : timeOf(row.completed_at),
  }
}

function timeOf(micros: string | null): Date {
  return new Date(Number(micros) / 1000)
}
