import { type Act, actTarget, checkedAct } from '@oncekey/core'
import { type PostgresClient, sqlClientOf } from '../bridges/postgres-client.ts'
import { atReadCommitted } from '../sql/read-committed.ts'
import { quotedSchema } from '../sql/schema-name.ts'
import { storeError } from '../sql/store-error.ts'
import { eraseScopeStatement } from './statements/erase-scope.ts'

/** Names the owner of the keys: `scope` is the text that the engine's `scope` option returned. */
export interface ScopeName {
  /** @default 'http' */
  readonly namespace?: string
  readonly scope: string
}

/** What one call of {@link eraseScope} erased. */
export interface Erased {
  /** Stored responses. */
  readonly responses: number
  /** Entries of the audit trail that are about acts on keys of the scope. */
  readonly entries: number
}

/**
 * Deletes what is stored of a customer's requests: the responses of the scope's keys, and the
 * target, note and detail of audit entries about these keys. Who acted, what they did and when
 * stays. The erasing is itself entered in the audit, without the scope, so leave names out of its
 * note. Keys stay, so that nothing runs twice: a retry gets 410. A response that somebody has
 * locked is left; call it again until `responses` is 0.
 *
 * It erases what is stored when it is called. A request that is under way stores its response
 * later, and one whose process gets no answer from the database is sent for up to an hour. Stop the
 * scope's requests first, or call it once more an hour after the last. Throws `OptionsError`.
 *
 * @example
 * ```ts
 * const act = { actor: 'maria@shop.example', note: 'request 4711 for deletion' }
 * await eraseScope(pool, { scope: 'customer-7' }, act)
 * ```
 */
export async function eraseScope<Tx>(
  client: PostgresClient<Tx>,
  { namespace = 'http', scope }: ScopeName,
  act: Act,
  options: { readonly schema?: string } = {},
): Promise<Erased> {
  const { actor, note } = checkedAct('eraseScope', act)
  const schema = options.schema ?? 'oncekey'
  const statement = eraseScopeStatement(quotedSchema(schema))({
    namespace,
    scope,
    // How the targets of the scope's keys begin: `["key","http","customer-7",`.
    prefix: `${actTarget('key', namespace, scope).slice(0, -1)},`,
    target: actTarget('namespace', namespace),
    actor,
    note,
  })
  const sql = atReadCommitted(sqlClientOf(client, { prepare: false }))
  const [row] = await sql.query(statement, { timeoutMs: TIMEOUT_MS }).catch((error) => {
    throw storeError(error, schema)
  })
  return { responses: Number(row?.responses), entries: Number(row?.entries) }
}

/** Ten minutes, because the statement reads all keys of the scope and the whole audit trail. */
const TIMEOUT_MS = 600_000
