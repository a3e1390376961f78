import { type Act, actTarget, checkedAct, OptionsError } from '@oncekey/core'
import { type PostgresClient, sqlClientOf } from '../bridges/postgres-client.ts'
import { atReadCommitted } from '../sql/read-committed.ts'
import { quotedSchema } from '../sql/schema-name.ts'
import { storeError } from '../sql/store-error.ts'
import { eraseEventStatement } from './statements/erase-event.ts'

/** What one call of {@link eraseEvent} erased. */
export interface ErasedEvent {
  /** The event, and those that took its place after an edit of its dead letters. */
  readonly events: number
  /** Entries of the audit trail about such edits. */
  readonly entries: number
}

/**
 * Empties data, headers and subject of an event wherever they are stored: in the log, in retries
 * and dead letters with their errors, in webhooks with what receivers answered, and the edited
 * values in the audit. Events that took its place after an edit are erased with it; name the first
 * of them. Rows, ids, types, ordering keys and times stay, so that nothing is delivered twice. Who
 * gets the event from now on gets `data: null`.
 *
 * A relay that had read the event before may still be delivering it. If such a delivery fails, it
 * is filed again with its data. Call `eraseEvent` again after the longest attempt of the relays; it
 * may be called any number of times.
 *
 * The erasing is itself entered in the audit, so leave names out of its note. Call it as the owner
 * of the schema. Throws `OptionsError`.
 *
 * @example
 * ```ts
 * const act = { actor: 'maria@shop.example', note: 'request 4711 for deletion' }
 * await eraseEvent(pool, '0199f2c8-7a1e-7c60-b9a3-0d4b2a7f4c11', act)
 * ```
 */
export async function eraseEvent<Tx>(
  client: PostgresClient<Tx>,
  id: string,
  act: Act,
  options: { readonly schema?: string } = {},
): Promise<ErasedEvent> {
  const by = checkedAct('eraseEvent', act)
  if (!UUID.test(id)) throw new OptionsError(`eraseEvent: "${id}" is not the id of an event.`)
  const schema = options.schema ?? 'oncekey'
  const event = id.toLowerCase()
  const target = actTarget('event', event)
  const statement = eraseEventStatement(quotedSchema(schema))({ id: event, target, ...by })
  const sql = atReadCommitted(sqlClientOf(client, { prepare: false }))
  const [row] = await sql.query(statement, { timeoutMs: TIMEOUT_MS }).catch((error) => {
    throw storeError(error, schema)
  })
  return { events: Number(row?.events), entries: Number(row?.entries) }
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
/** Ten minutes, because the statement reads the whole log and the whole audit trail. */
const TIMEOUT_MS = 600_000
