/**
 * Makes sure that the real response behind a response of @hono/node-server exists. That package
 * replaces the global `Response` with a class that only keeps the constructor's arguments, and
 * makes the real response when its body or its state is first read. Version 1 then loses the
 * changes that were made to the headers before, so they are put back here.
 */
export function made(response: Response): Response {
  const lines = [...response.headers]
  if (response.bodyUsed) return response
  const { headers } = response
  if (String([...headers]) === String(lines)) return response
  for (const name of [...headers.keys()]) headers.delete(name)
  for (const [name, value] of lines) headers.append(name, value)
  return response
}
