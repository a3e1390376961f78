/**
 * About how many bytes an event of a table is, without fetching what does not fit on a page. There a
 * row says only how large it is as it is kept; what is compressed counts as a hundred times as much,
 * which is as small as PostgreSQL packs anything. What is small and compressed is unpacked to be counted.
 */
export function bytesOf(table: string): string {
  const size = `pg_column_size(${table}.data)`
  return `(case when pg_column_compression(${table}.data) is null then ${size}
      when ${size} < 2000 then octet_length(${table}.data::text)
      else ${size} * 100::bigint end
    + pg_column_size(${table}.headers) + 200)::bigint`
}
