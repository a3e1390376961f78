import type { EngineRequest } from '../engine.ts'
import type { PlainResponse } from '../stored-response.ts'
import { accepts } from './accept-encoding.ts'
import { codingOf, uncoded } from './uncoded.ts'

/**
 * A kept response as this client can read it: byte for byte as it left, or, where its coding is not
 * among those that the client accepts, decoded. What cannot be decoded, or is larger than `maxBytes`
 * then, stays as it is, and so does everything for a client that accepts neither form.
 */
export async function replayVariant(
  response: PlainResponse,
  request: Pick<EngineRequest, 'header'> | undefined,
  maxBytes: number,
): Promise<PlainResponse> {
  const coding = codingOf(response)
  if (coding === undefined || request === undefined) return response
  const lines = request.header('accept-encoding')
  const acceptEncoding = lines.length === 0 ? undefined : lines.join(',')
  if (accepts(acceptEncoding, coding) || !accepts(acceptEncoding, 'identity')) return response
  const plain = await uncoded(response, coding, maxBytes)
  return plain === undefined || plain === 'too-large' ? response : plain
}
