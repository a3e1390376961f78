import { eraseEventFunction, refuseOtherChangeToo } from '../../functions/operator/erase-event.ts'

/** One event can be erased wherever it is stored, also from the audit, which records that. */
export function erasableEvents(schema: string): string[] {
  return [
    refuseOtherChangeToo(schema),
    eraseEventFunction(schema),
    `comment on table ${schema}.operations is
      'The audit trail: every act from outside, in its commit. Only ever added to; erase_scope() '
      'makes the entries of a scope''s keys anonymous, and erase_event() those of an event''s '
      'edited letters, and both are in it themselves.'`,
  ]
}
