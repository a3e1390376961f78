import type { EventEmitter } from 'node:events'
import type { ServerResponse } from 'node:http'
import { isGone, isHttp2, streamOf } from '../internals/internals.ts'

/**
 * Lets writers go on that wait for `drain`. Over HTTP/2 they may wait at the stream, which passes
 * the event on to the response until it is closed. A compressor keeps those who wait at a stream of
 * its own: its `on` puts them there, and returns that stream.
 */
export function emitDrain(res: ServerResponse): void {
  const keeper: EventEmitter | undefined = res.on('drain', ignore)
  keeper?.off('drain', ignore)
  if (isHttp2(res)) streamOf(res).emit('drain')
  if (!isHttp2(res) || isGone(res)) res.emit('drain')
  if (keeper !== undefined && keeper !== res) keeper.emit('drain')
}

function ignore(): void {}
