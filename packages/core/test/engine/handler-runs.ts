import type { Engine } from '../../src/engine/engine.ts'
import type { HandlerRun } from '../../src/engine/handler-run.ts'
import { post } from '../support/post.ts'

export async function runOf<Tx>(
  engine: Engine<Tx>,
  request = post('k-1'),
): Promise<HandlerRun<Tx>> {
  const begun = await engine.begin(request)
  if (begun.kind !== 'run') throw new Error(`expected a run, got ${JSON.stringify(begun)}`)
  return begun.run
}

export async function problemOf<Tx>(engine: Engine<Tx>, request = post('k-1')) {
  const begun = await engine.begin(request)
  if (begun.kind !== 'problem') throw new Error(`expected a problem, got ${begun.kind}`)
  return begun
}

export const text = (body: Uint8Array) => new TextDecoder().decode(body)
