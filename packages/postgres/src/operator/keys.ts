import {
  type ActResult,
  checkedAct,
  checkedAnswer,
  type KeyDetail,
  type KeyName,
  type KeyResponse,
  type Keys,
  keyTarget,
} from '@oncekey/core'
import { claimKey } from '../sql/claim-key.ts'
import { atReadCommitted } from '../sql/read-committed.ts'
import type { SqlClient, Statement } from '../sql/sql-client.ts'
import { storeError } from '../sql/store-error.ts'
import { listKeys, summaryOf } from './list-keys.ts'
import {
  type ActOnKey,
  endUnknownKey,
  findKey,
  forgetKey,
  type KeyDetailRow,
  restartLease,
} from './statements/keys.ts'

/** What operators can see of the keys in one schema, and what they can do to them. */
export function postgresKeys(on: {
  readonly client: SqlClient
  readonly schema: string
  readonly quotedSchema: string
}): Keys {
  const { client, schema, quotedSchema } = on
  const asked = atReadCommitted(client)
  const lockOf = (key: KeyName) => claimKey(schema, key).lock

  return {
    lists: true,

    async get(key, { body = false } = {}) {
      const question = findKey(quotedSchema)(key, lockOf(key), body)
      const [row] = await ask(question)
      if (row !== undefined) return detailOf(row)
      // The statement sees records as they were when it began, and locks as they are a moment
      // later. If an attempt commits in between, it sees neither, so what is absent is asked for
      // again.
      const [late] = await ask(question)
      return late === undefined ? undefined : detailOf(late)
    },

    list: async (filter, page) => listKeys(ask, quotedSchema, filter, page),

    release: async (key, act) =>
      done(key, endUnknownKey(quotedSchema)(onKey('release', key, act), undefined)),

    answer: async (key, response, act) =>
      done(key, endUnknownKey(quotedSchema)(onKey('answer', key, act), checkedAnswer(response))),

    forget: async ({ fingerprint, ...key }, act) =>
      done(key, forgetKey(quotedSchema)(onKey('forget', key, act), fingerprint)),
  }

  /** What seems to run may be over, by a clock that was put back. */
  async function done(key: KeyName, act: Statement<{ outcome: string }>): Promise<ActResult> {
    const result = await outcomeOf(act)
    if (result !== 'running') return result
    const [row] = await ask(restartLease(quotedSchema)(key)).catch(() => [])
    return row?.restarted === 'true' ? await outcomeOf(act) : result
  }

  function onKey(
    verb: 'release' | 'answer' | 'forget',
    key: KeyName,
    act: Parameters<Keys['release']>[1],
  ): ActOnKey {
    const { namespace, scope, key: name } = key
    return {
      ...checkedAct(`keys.${verb}`, act),
      act: `keys.${verb}`,
      namespace,
      scope,
      key: name,
      lock: lockOf(key),
      target: keyTarget(key),
    }
  }

  async function ask<Row>(statement: Statement<Row>): Promise<Row[]> {
    try {
      return await asked.query(statement, { timeoutMs: TIMEOUT_MS })
    } catch (error) {
      throw storeError(error, schema)
    }
  }

  async function outcomeOf(statement: Statement<{ outcome: string }>): Promise<ActResult> {
    const [row] = await ask(statement)
    return row?.outcome as ActResult
  }
}

function detailOf(row: KeyDetailRow): KeyDetail {
  return { ...summaryOf(row), response: responseOf(row) }
}

function responseOf(row: KeyDetailRow): KeyResponse | null {
  if (row.body_bytes === null || row.headers === null || row.status === null) return null
  return {
    status: Number(row.status),
    headers: JSON.parse(row.headers),
    body: row.body === null ? null : Buffer.from(row.body, 'hex'),
    seal: row.seal,
    bodyBytes: Number(row.body_bytes),
  }
}

const TIMEOUT_MS = 10_000
