/**
 * Makes the real response of a response of @hono/node-server. That package replaces the global
 * class with one that only keeps the constructor's arguments, and that makes the real response when
 * its body or its state is first read. Version 1 then loses the changes made to the headers until
 * then, which are put back here.
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
