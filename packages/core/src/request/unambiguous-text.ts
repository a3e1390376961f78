import { isOpaque, jsonOf, notData, opaque } from './opaque.ts'

/**
 * Makes a text of a value that `canonicalJson` refuses; any two different values get different
 * texts. Keys stay in the order they came. Throws `fingerprint-required` for a value that is not
 * data, because all Maps, for example, would look alike.
 */
export function unambiguousText(root: unknown): string {
  return shallowText(root, 0) ?? deepText(root)
}

/**
 * Works recursively. Returns `undefined` beyond a depth at which the stack might overflow; a
 * circular value reaches that depth too.
 */
function shallowText(value: unknown, depth: number): string | undefined {
  const data = jsonOf(value)
  if (typeof data !== 'object' || data === null) return scalarText(data)
  if (depth > MAX_RECURSION) return undefined
  if (Array.isArray(data)) return listText(data, depth)
  const keys = Object.keys(data)
  if (isOpaque(data, keys.length)) throw opaque(data)
  let text = '{'
  for (const key of keys) {
    const child = shallowText((data as Record<string, unknown>)[key], depth + 1)
    if (child === undefined) return undefined
    text += `${JSON.stringify(key)}=${child}`
  }
  return `${text}}`
}

function listText(list: readonly unknown[], depth: number): string | undefined {
  let text = '['
  for (let index = 0; index < list.length; index += 1) {
    if (list[index] === undefined && !(index in list)) continue
    const child = shallowText(list[index], depth + 1)
    if (child === undefined) return undefined
    text += `"${index}"=${child}`
  }
  return `${text}]`
}

function scalarText(value: unknown): string {
  // Two functions may have the same source, and two symbols the same name, without being the same
  // value.
  if (typeof value === 'function' || typeof value === 'symbol') throw opaque(value)
  return `${typeof value}:${typeof value === 'string' ? JSON.stringify(value) : String(value)};`
}

const MAX_RECURSION = 500

/** Makes the same text with an explicit stack. */
function deepText(root: unknown): string {
  const parts: string[] = []
  const around = new Set<object>()
  const stack: Step[] = [{ value: root }]
  for (let step = stack.pop(); step !== undefined; step = stack.pop()) {
    if ('text' in step) {
      parts.push(step.text)
      if (step.closes !== undefined) around.delete(step.closes)
      continue
    }
    const value = jsonOf(step.value)
    if (typeof value !== 'object' || value === null) {
      parts.push(scalarText(value))
      continue
    }
    const children = Object.entries(value)
    if (around.has(value)) throw notData('itself')
    if (isOpaque(value, children.length)) throw opaque(value)
    around.add(value)
    parts.push(Array.isArray(value) ? '[' : '{')
    stack.push({ text: Array.isArray(value) ? ']' : '}', closes: value })
    for (const [key, child] of children.reverse()) {
      stack.push({ value: child }, { text: `${JSON.stringify(key)}=` })
    }
  }
  return parts.join('')
}

type Step = { readonly text: string; readonly closes?: object } | { readonly value: unknown }
