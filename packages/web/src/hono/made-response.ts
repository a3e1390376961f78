/**
 * Makes a response of @hono/node-server, which puts a class of its own in the place of the global
 * one. It holds what its constructor was given, and is made when its body or its state is first
 * looked at: in version 1 without what happened to its headers since, which are put back here.
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
