import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Allocation, Frame } from './allocations.ts'

/** The sum of the allocations of a source file of ours. */
export interface Allocated {
  readonly objects: number
  readonly bytes: number
}

/**
 * Sums allocations by the source file of the function that made them, such as
 * `core/src/engine/run.ts`. What Node, a framework or a driver made is under `elsewhere`, also
 * where one of our functions called it; the profiler itself is left out.
 */
export function bySourceFile(allocations: readonly Allocation[]): Map<string, Allocated> {
  const sums = new Map<string, Allocated>()
  for (const { stack, objects, bytes } of allocations) {
    if (stack.some(({ script }) => script === 'node:inspector')) continue
    // Builtins of V8, such as the constructor of a promise, have no script.
    const frame = stack.find(({ script }) => script !== '')
    const file = (frame && sourceFile(frame)) ?? ELSEWHERE
    const sum = sums.get(file) ?? { objects: 0, bytes: 0 }
    sums.set(file, { objects: sum.objects + objects, bytes: sum.bytes + bytes })
  }
  return sums
}

export const ELSEWHERE = 'elsewhere'

/** Our source file of a frame; `undefined` for Node, frameworks, drivers and the benchmark. */
function sourceFile({ script, line }: Frame): string | undefined {
  if (!script.startsWith('file:')) return undefined
  let regions = regionsOf.get(script)
  if (regions === undefined) {
    regions = regionsIn(readFileSync(fileURLToPath(script), 'utf8'))
    regionsOf.set(script, regions)
  }
  return regions[line]
}

/** For each line of a script, the file of `packages` it comes from. */
const regionsOf = new Map<string, readonly (string | undefined)[]>()

/** The bundler names the source of each part of a bundle in a comment above it. */
function regionsIn(text: string): (string | undefined)[] {
  let file: string | undefined
  return text.split('\n').map((line) => {
    const begun = /^\/\/#region (.*)$/.exec(line)?.[1]
    if (begun !== undefined) file = /packages\/(.*\.ts)$/.exec(begun)?.[1]
    else if (line.startsWith('//#endregion')) file = undefined
    return file
  })
}
