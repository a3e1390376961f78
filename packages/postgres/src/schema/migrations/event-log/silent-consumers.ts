/** A consumer is abandoned once it was found silent twice: the clock may have been put ahead. */
export function silentConsumers(schema: string): string[] {
  return [
    `alter table ${schema}.consumers add column silent_at timestamptz`,
    `comment on column ${schema}.consumers.silent_at is
      'When it was first found to be silent for so long that it would be abandoned.'`,
  ]
}
