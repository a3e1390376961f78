/** Links a dead delivery that was redriven with other data to the delivery that took its place. */
export function editedDeliveries(schema: string): string[] {
  return [
    `alter table ${schema}.webhook_deliveries
      add column replaces bigint,
      add column replaced_by bigint`,
  ]
}
