import { type ActedBy, actedBy, actTarget, type RelayWork } from '@oncekey/core'
import { auditCall } from '../../operator/audit/audit-call.ts'
import type { Statement } from '../../sql/sql-client.ts'
import { textArray } from './dead-letter-filter.ts'

type Outcome = { readonly outcome: 'done' | 'already' }

/** Pauses or resumes a consumer and writes the audit entry; no row if the consumer is unknown. */
export function setPaused(
  schema: string,
): (consumer: string, isPaused: boolean, by: ActedBy | undefined) => Statement<Outcome> {
  return (consumer, isPaused, by) => {
    const verb = isPaused ? 'pause' : 'resume'
    const audit = auditCall(schema, {
      actor: '$2',
      note: '$3',
      act: `consumers.${verb}`,
      target: '$4::text',
      detail: isPaused
        ? `'{}'::jsonb`
        : `jsonb_build_object('pausedAt', was.paused_at, 'pausedBy', was.paused_by)`,
    })
    const values = isPaused
      ? `paused_at = clock_timestamp(), paused_note = $3::text,
            paused_by = coalesce($2::text, 'login ' || session_user::text)`
      : 'paused_at = null, paused_by = null, paused_note = null'
    const { actor, note } = actedBy(`consumers.${verb}`, by)
    return {
      name: `${verb}_consumer`,
      text: `
      with was as materialized (
        select c.* from ${schema}.consumers c where c.name = $1::text for no key update
      ), done as (
        update ${schema}.consumers c set ${values}
          from was
          where c.name = was.name and was.paused_at is ${isPaused ? '' : 'not '}null
          returning c.name
      )
      select case when d.name is null then 'already' else 'done' end as outcome,
          case when d.name is not null then ${audit} end::text as operation
        from was left join done d on d.name = was.name`,
      values: [consumer, actor, note, actTarget('consumer', consumer)],
    }
  }
}

/** Returns those of these consumers that are paused. */
export function pausedConsumers(
  schema: string,
): (consumers: readonly string[]) => Statement<{ name: string }> {
  return (consumers) => ({
    name: 'paused_consumers',
    text: `
      select c.name from ${schema}.consumers c
        where c.name = any($1::text[]) and c.paused_at is not null`,
    values: [textArray(consumers)],
    cancellable: true,
  })
}

/** Stores a relay's report for a consumer, unless the relay's lease has ended. */
export function reportWork(schema: string): (work: RelayWork) => Statement {
  return ({ consumer, relay, perSecond, lastError }) => ({
    name: 'report_work',
    text: `
      update ${schema}.relays r
        set per_second = $3::double precision, last_error = $4::json
        where r.consumer = $1::text and r.relay = $2::text and ${schema}.at_read_committed()`,
    values: [consumer, relay, perSecond, lastError && JSON.stringify(lastError)],
  })
}
