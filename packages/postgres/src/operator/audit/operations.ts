import {
  boundedPage,
  checkPageLimit,
  type Operation,
  type OperationFilter,
  type Operations,
  rowsToRead,
} from '@oncekey/core'
import { pageToken, partsOfToken } from '../../sql/page-token.ts'
import type { SqlClient } from '../../sql/sql-client.ts'
import { storeError } from '../../sql/store-error.ts'
import { listOperations, type OperationRow } from './list-operations.ts'

/** The audit trail of one schema. */
export function postgresOperations(on: {
  readonly client: SqlClient
  readonly schema: string
  readonly quotedSchema: string
}): Operations {
  const { client, schema, quotedSchema } = on

  return {
    async list(filter, { limit, after }) {
      checkPageLimit('operations.list', limit)
      const [before = null] = after === undefined ? [] : partsOfToken('operations.list', after, [1])
      const read = rowsToRead(limit)
      const asked = { target: filter.target ?? null, before, limit: read }
      const rows = await client
        .query(listOperations(quotedSchema)(asked), { timeoutMs: TIMEOUT_MS })
        .catch((error) => {
          throw storeError(error, schema)
        })
      const isMeant = (operation: Operation): boolean => matches(filter, operation)
      const page = boundedPage(rows.map(operationOf), { read, limit, isMeant })
      return { items: page.shown, next: page.last && pageToken([page.last.id]) }
    },
  }
}

function operationOf(row: OperationRow): Operation {
  const { id, actor, act, target, note } = row
  return {
    id,
    at: new Date(Number(row.at)),
    actor,
    act,
    target,
    note,
    detail: JSON.parse(row.detail),
  }
}

function matches({ actor, act, since, until }: OperationFilter, operation: Operation): boolean {
  return (
    (actor === undefined || operation.actor === actor) &&
    (act === undefined || operation.act === act) &&
    (since === undefined || operation.at >= since) &&
    (until === undefined || operation.at <= until)
  )
}

const TIMEOUT_MS = 10_000
