import 'reflect-metadata'

/**
 * The metadata keys under which Nest's decorators keep their arguments. A test compares them with
 * Nest's own.
 */
export const GUARDS = '__guards__'
export const INTERCEPTORS = '__interceptors__'
export const PATH = 'path'
export const METHOD = 'method'
export const ARGUMENTS = '__routeArguments__'
export const PASSTHROUGH = '__responsePassthrough__'

const OPTIONS = 'oncekey:options'

/**
 * The options that `@Idempotent` was given on a class or one of its methods; `undefined` if there
 * is none.
 */
export function decoratedOptions<Options extends object>(
  target: object,
): Options | false | undefined {
  return Reflect.getMetadata(OPTIONS, target)
}

export function keepOptions(target: object, options: object | false): void {
  Reflect.defineMetadata(OPTIONS, options, target)
}

/** The routes of a class and of the classes that it extends, by method name. */
export function routesOf(type: Class): readonly (readonly [name: string, handler: Handler])[] {
  return methodsOf(type).filter(([, handler]) => isRoute(handler))
}

export function methodsOf(type: Class): readonly (readonly [name: string, handler: Handler])[] {
  const found = new Map<string, Handler>()
  for (
    let prototype = type.prototype;
    prototype && prototype !== Object.prototype;
    prototype = Object.getPrototypeOf(prototype)
  ) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
      if (name === 'constructor' || typeof value !== 'function' || found.has(name)) continue
      found.set(name, value)
    }
  }
  return [...found]
}

export function isRoute(handler: object): boolean {
  return Reflect.hasMetadata(PATH, handler)
}

/** Whether a handler responds by itself: it has `@Res()` or `@Next()`, without passthrough. */
export function answersItself(type: Class, handler: Handler): boolean {
  const name = methodsOf(type).find(([, other]) => other === handler)?.[0]
  if (name === undefined || Reflect.getMetadata(PASSTHROUGH, type, name)) return false
  const decorated: object = Reflect.getMetadata(ARGUMENTS, type, name) ?? {}
  return Object.keys(decorated).some((parameter) => ANSWERING.has(parameter.split(':')[0] ?? ''))
}

/** `@Res()` and `@Next()`, as Nest numbers the decorators of parameters. */
const ANSWERING = new Set(['1', '2'])

/** Any class, as Nest passes controllers around. */
// biome-ignore lint/suspicious/noExplicitAny: of any constructor
export type Class = abstract new (...given: any[]) => object

/** A method of a controller. */
// biome-ignore lint/suspicious/noExplicitAny: of any parameters
export type Handler = (...given: any[]) => unknown
