/**
 * A publication of all tables has the server refuse a delete from a table without a replica
 * identity, and restored cursors are set right by a delete from this one. Its row is its identity,
 * and no primary key: a new column would write the row anew, and whose numbers stand in the log is
 * read from who wrote it.
 */
export function publishedTables(schema: string): string[] {
  return [`alter table ${schema}.numbering replica identity full`]
}
