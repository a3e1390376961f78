/**
 * Sets a replica identity for the table 'numbering'. If a publication covers all tables, the server
 * refuses to delete from a table without one, and the repair of restored cursors deletes from this
 * table. The whole row is the identity, instead of a primary key, which would need a new column:
 * that would rewrite the row, and the transaction that wrote the row tells whose numbers are in the
 * log.
 */
export function publishedTables(schema: string): string[] {
  return [`alter table ${schema}.numbering replica identity full`]
}
