/**
 * The approximate size of an event, without fetching values that are stored out of line. For those
 * a row tells only the stored size. If it is compressed, it counts a hundredfold, which is
 * PostgreSQL's best compression. Small compressed values are decompressed to be counted.
 */
export function bytesOf(table: string): string {
  const size = `pg_column_size(${table}.data)`
  return `(case when pg_column_compression(${table}.data) is null then ${size}
      when ${size} < 2000 then octet_length(${table}.data::text)
      else ${size} * 100::bigint end
    + pg_column_size(${table}.headers) + 200)::bigint`
}
