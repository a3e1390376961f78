import type { IncomingMessage, ServerResponse } from 'node:http'

/**
 * Makes requests and responses dictionary-mode objects, by deleting a property. Express changes
 * their prototype, after which V8 before 13 (Node 24) gives each object its own hidden class: every
 * property added then costs 2 µs and 1.6 KB, and code that touches the object is not optimised. In
 * dictionary mode, adding our seven properties and finishing the request through Express costs less
 * than the finishing alone does in bare Express. Processor time of a whole request without sockets,
 * measured against bare Express: 0.69 to 0.73 of it when only the response is converted, once the
 * handler runs; 0.80 when both are converted before anything else of ours.
 */
export function toDictionaries(
  req: Partial<Pick<IncomingMessage, 'statusMessage'>>,
  res: Partial<Pick<ServerResponse, 'finished'>>,
): void {
  if (!HAVE_CLASSES_OF_THEIR_OWN) return
  const { statusMessage } = req
  delete req.statusMessage
  if (statusMessage !== undefined) req.statusMessage = statusMessage
  const { finished } = res
  delete res.finished
  if (finished !== undefined) res.finished = finished
}

const HAVE_CLASSES_OF_THEIR_OWN = Number.parseInt(process.versions.v8, 10) < 13
