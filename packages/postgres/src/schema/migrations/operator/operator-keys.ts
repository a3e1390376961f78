import { endUnknownKeyFunction } from '../../superseded/operator/end-unknown-key.ts'
import { forgetKeyFunction } from '../../superseded/operator/forget-key.ts'

/** The audit trail of operators' acts, and the functions by which operators act on keys. */
export function operatorKeys(schema: string): string[] {
  return [
    `create table ${schema}.operations (
      id bigint generated always as identity,
      at timestamptz not null default clock_timestamp(),
      actor text not null,
      act text not null,
      target text not null,
      note text not null,
      detail jsonb not null,
      constraint operations_pkey primary key (id)
    )`,
    // The index is on a hash, because a target may be too long for an index.
    `create index operations_target on ${schema}.operations (hashtextextended(target, 0), id)`,

    `create function ${schema}.refuse_change() returns trigger language plpgsql as $$
    begin
      raise exception 'operations are only ever added: % is refused', tg_op
        using errcode = 'restrict_violation';
    end $$`,
    `create trigger operations_are_only_added before update or delete or truncate
      on ${schema}.operations for each statement execute function ${schema}.refuse_change()`,

    endUnknownKeyFunction(schema),
    forgetKeyFunction(schema),
  ]
}
