/**
 * Describes the part of a value that would not survive JSON: a `Date` becomes a string, a `Map` an
 * empty object, `NaN` null. `undefined` where nothing is lost. Undefined members are not a loss,
 * because reading them gives undefined either way.
 */
export function lostInJson(root: unknown): string | undefined {
  const around = new Set<object>()
  return look(root, '$')

  function look(value: unknown, path: string): string | undefined {
    switch (typeof value) {
      case 'string':
        return value.isWellFormed() ? undefined : `${path} has half of a character in it.`
      case 'boolean':
        return undefined
      case 'number':
        return Number.isFinite(value) ? undefined : `${path} is ${value}.`
      case 'object':
        return value === null ? undefined : lookInto(value, path)
      default:
        return `${path} is of type ${typeof value}.`
    }
  }

  function lookInto(value: object, path: string): string | undefined {
    if (around.has(value)) return `${path} holds itself.`
    const prototype = Object.getPrototypeOf(value)
    const isPlain = Array.isArray(value) || prototype === Object.prototype || prototype === null
    if (!isPlain) return `${path} is a ${prototype.constructor?.name ?? 'class instance'}.`
    if ('toJSON' in value) return `${path} has a toJSON() of its own.`
    around.add(value)
    for (const [name, member] of Object.entries(value)) {
      if (member === undefined && !Array.isArray(value)) continue
      const lost = look(member, Array.isArray(value) ? `${path}[${name}]` : `${path}.${name}`)
      if (lost !== undefined) return lost
    }
    around.delete(value)
    return undefined
  }
}
