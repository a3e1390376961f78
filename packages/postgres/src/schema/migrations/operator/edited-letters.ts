/** Links a dead letter that was redriven with other data to the delivery that took its place. */
export function editedLetters(schema: string): string[] {
  return [
    `alter table ${schema}.deliveries
      add column replaces bigint,
      add column replaced_by bigint`,
  ]
}
