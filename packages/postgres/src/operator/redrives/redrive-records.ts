import {
  boundedPage,
  checkedAct,
  checkPageLimit,
  type Redrive,
  type RedriveRecords,
  rowsToRead,
} from '@oncekey/core'
import { pageToken, partsOfToken } from '../../sql/page-token.ts'
import type { Statement } from '../../sql/sql-client.ts'
import {
  cancelRedrive,
  findRedrive,
  listPortions,
  listRedrives,
  type RedriveRow,
} from './redrive-statements.ts'

/** The redrives on record in one schema, whatever their source. */
export function redriveRecords(
  ask: <Row>(statement: Statement<Row>) => Promise<Row[]>,
  schema: string,
): RedriveRecords {
  return {
    async get(id) {
      if (!isRedriveId(id)) return undefined
      const [row] = await ask(findRedrive(schema)(id))
      return row && redriveOf(row)
    },

    async list({ source, state }, { limit, after }) {
      checkPageLimit('redrives.list', limit)
      const [before = null] = after === undefined ? [] : partsOfToken('redrives.list', after, [1])
      const read = rowsToRead(limit)
      const rows = await ask(listRedrives(schema)(before, read))
      const isMeant = (row: RedriveRow): boolean =>
        (source === undefined || row.source === source) &&
        (state === undefined || row.state === state)
      const { shown, last } = boundedPage(rows, { read, limit, isMeant })
      return { items: shown.map(redriveOf), next: last && pageToken([last.id]) }
    },

    async portions(id, { limit, after }) {
      checkPageLimit('redrives.portions', limit)
      if (!isRedriveId(id)) return { items: [], next: undefined, last: undefined }
      const [from = null] = after === undefined ? [] : partsOfToken('redrives.portions', after, [1])
      const rows = await ask(listPortions(schema)(id, from, limit))
      const end = rows.at(-1)
      const last = end && pageToken([end.number])
      return {
        last,
        items: rows.map(({ at, redriven, refused }) => ({
          at: new Date(Number(at)),
          redriven: JSON.parse(redriven),
          refused: JSON.parse(refused),
        })),
        next: rows.length === limit ? last : undefined,
      }
    },

    async cancel(id, act) {
      const { actor, note } = checkedAct('redrives.cancel', act)
      if (!isRedriveId(id)) return 'unknown'
      const [row] = await ask(cancelRedrive(schema)(id, actor, note))
      return row?.outcome ?? 'unknown'
    },
  }
}

function isRedriveId(id: string): boolean {
  return /^\d{1,18}$/.test(id)
}

function redriveOf(row: RedriveRow): Redrive {
  const { id, source, kind, state, actor, note } = row
  return {
    id,
    source,
    kind,
    state,
    actor,
    note,
    filter: JSON.parse(row.filter),
    ratePerSecond: Number(row.rate),
    limit: row.most === null ? null : Number(row.most),
    matched: Number(row.matched),
    redriven: Number(row.redriven),
    refused: Number(row.refused),
    startedAt: new Date(Number(row.started_at)),
    endedAt: row.ended_at === null ? null : new Date(Number(row.ended_at)),
  }
}
