import { hash } from 'node:crypto'
import { inliner } from '../inlined-values.ts'
import type { SqlValue, Statement } from '../sql-client.ts'
import { forgetPrepared, forgetWithServer, STATEMENT_PREFIX } from './forgotten-statements.ts'
import {
  type BatchStatement,
  inOneWrite,
  sentTogether,
  takesBatches,
  writesBytes,
} from './pg-batch.ts'
import type { PgClient, PgQuery, PgResult } from './pg-client.ts'

/**
 * Sends our statements to the server. If two are sent and the first fails, the second never runs.
 */
export interface PgWire {
  one(client: PgClient, statement: Statement): Promise<PgResult>
  two(client: PgClient, first: Statement, second: Statement): Promise<[PgResult, PgResult]>
  /**
   * Sends all statements in one message, which is one transaction. Resolves to the result of the
   * last.
   */
  last(client: PgClient, statements: readonly Statement[]): Promise<PgResult>
  /**
   * Forgets what was prepared on this connection, because the server may not have it: it is parsed
   * anew.
   */
  forgetPrepared(client: PgClient): void
}

/**
 * Binds values, and sends two statements in one round trip: as one batch, or, on a pool that
 * pipelines (`pipeline: true`), as two queries that do not wait for each other. With `prepare`,
 * every statement is parsed once for each connection, under a name.
 */
export function pgWire({ prepare }: { readonly prepare: boolean }): PgWire {
  const nameOf = prepare ? statementNames() : () => undefined
  const inlined = inliner()

  const one = (client: PgClient, statement: Statement, refused?: () => void): Promise<PgResult> => {
    const { text, values } = statement
    if (values.length === 0) return sent(client, { text, types: TEXT }, refused)
    const name = nameOf(statement)
    if (name !== undefined) forgetWithServer(client)
    if (name !== undefined && takesBatches(client)) return alone(client, { ...statement, name })
    const bound = writesBytes(client) ? values : values.map(withoutBytes)
    const query = { text, values: bound as unknown[], types: TEXT, ...(name && { name }) }
    return sent(client, query, refused)
  }

  return {
    one: (client, statement) => one(client, statement),
    async two(client, first, second) {
      if (prepare) forgetWithServer(client)
      if (takesBatches(client)) {
        const both = [first, second].map((each) => ({ ...each, name: nameOf(each) }))
        return (await sentTogether(client, both)) as [PgResult, PgResult]
      }
      if (client.pipeline !== true) {
        // A client of `pg-native` gets one message, and a message with several statements takes no
        // parameters.
        const text = `${inlined(first)};${inlined(second)}`
        return (await sent(client, { text, types: TEXT })) as unknown as [PgResult, PgResult]
      }
      const both = inOneWrite(client.connection?.stream, () => {
        let isRefused = false
        const started = one(client, first, () => {
          isRefused = true
        })
        // What the client itself refused never reaches the server, which would take a COMMIT behind
        // it for the end of a transaction without it.
        return [started, isRefused ? started : one(client, second)] as const
      })
      const [started, ended] = await Promise.allSettled(both)
      if (started.status === 'rejected') throw started.reason
      if (ended.status === 'rejected') throw ended.reason
      return [started.value, ended.value]
    },

    async last(client, statements) {
      // One message with several statements takes no parameters.
      const text = statements.map(inlined).join(';\n')
      const results = await sent(client, { text, types: TEXT })
      return [results].flat().at(-1) as PgResult
    },

    forgetPrepared,
  }
}

/**
 * `pg-native` decodes bytes as UTF-8 when it binds them: what is no text would be stored as other
 * bytes, without an error. It gets them in the text form of a bytea.
 */
function withoutBytes(value: SqlValue): SqlValue {
  if (value === null || typeof value !== 'object') return value
  return `\\x${Buffer.from(value).toString('hex')}`
}

/**
 * A name contains a hash of its text, so two stores on one pool, or two releases behind one pooler,
 * never use one name for different statements.
 */
function statementNames(): (statement: Statement) => string | undefined {
  const names = new Map<string, string>()
  return ({ name, text, values }) => {
    if (values.length === 0) return undefined
    let prepared = names.get(text)
    if (prepared === undefined) {
      prepared = `${STATEMENT_PREFIX}${name}_${hash('sha256', text).slice(0, 16)}`
      names.set(text, prepared)
    }
    return prepared
  }
}

/**
 * Sends one statement as a batch. If an earlier batch parsed a name and then failed, `pg` does not
 * know that the server has that name: an ordinary query would parse it again, which the server
 * refuses.
 */
async function alone(client: PgClient, statement: BatchStatement): Promise<PgResult> {
  const [result] = await sentTogether(client, [statement])
  return result as PgResult
}

/**
 * Sends a query with a callback and makes the promise itself. The result of `pg`'s own promise
 * stays in memory for longer: when 60,000 events were read, 33 MB of 70 MB outlived young garbage
 * collections that way, and 2 MB this way, which saves a fifth of a relay's processor time.
 *
 * `refused` is called before this returns if the client itself refuses the query, for example
 * because it cannot write a value: nothing of it is sent then.
 */
export function sent(client: PgClient, query: PgQuery, refused?: () => void): Promise<PgResult> {
  return new Promise((resolve, reject) => {
    let isSending = true
    client.query(query, (error, result) => {
      if (error && isSending) refused?.()
      return error ? reject(error) : resolve(result)
    })
    isSending = false
  })
}

/**
 * Our statements return every column as text. This keeps the user's type parsers from changing it.
 */
const TEXT = { getTypeParser: () => String }
