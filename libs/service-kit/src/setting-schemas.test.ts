import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addressSchema,
  integerSchema,
  logLevelSchema,
  namedFoldersSchema,
  sizeOrNoneSchema,
  sizeSchema,
  targetListSchema,
  targetSchema,
} from './setting-schemas.ts';

const host = fc.oneof(
  fc.domain(),
  fc.ipV4(),
  fc.ipV6().map((address) => `[${address}]`),
);
const address = fc
  .tuple(host, fc.integer({ min: 0, max: 65535 }))
  .map(([name, port]) => `${name}:${String(port)}`);

describe('addressSchema', () => {
  it('accepts any host name, IPv4 or bracketed IPv6 address with a port, unchanged', () => {
    fc.assert(fc.property(address, (text) => addressSchema.parse(text) === text));
  });

  it('refuses every port above 65535', () => {
    const port = fc.integer({ min: 65536, max: 99999 });
    fc.assert(fc.property(host, port, (name, high) => !addressSchema.safeParse(`${name}:${high}`).success));
  });

  it.each([
    '',
    'localhost',
    ':80',
    'a:',
    'a:b',
    'a:-1',
    'a:1.5',
    'a b:1',
    '::1:80',
    '[::1]',
    '[::g]:80',
    '[:::]:80',
    'http://a:80',
    'dns:///a:80',
  ])("refuses '%s' by the rule", (text) => {
    expect(addressSchema.safeParse(text).error?.issues).toMatchObject([{ message: 'must be host:port' }]);
  });
});

describe('targetSchema', () => {
  it('accepts an address, and a name to resolve', () => {
    fc.assert(fc.property(address, (text) => targetSchema.parse(text) === text));
    fc.assert(
      fc.property(
        fc.domain(),
        (name) => targetSchema.parse(`dns:///${name}:50052`) === `dns:///${name}:50052`,
      ),
    );
  });

  it.each(['a', 'dns:///a', 'dns://a:80', 'dns:///[::1]:80', 'http://a:80', 'dns:///a:80/'])(
    "refuses '%s' by the rule",
    (text) => {
      expect(targetSchema.safeParse(text).error?.issues).toMatchObject([
        { message: 'must be host:port or dns:///name:port' },
      ]);
    },
  );
});

describe('targetListSchema', () => {
  it('splits at commas, whatever the spaces, keeping the order', () => {
    const separator = fc.constantFrom(',', ', ', ' ,', '  ,  ');
    fc.assert(
      fc.property(fc.array(address, { minLength: 1, maxLength: 5 }), separator, (addresses, comma) => {
        expect(targetListSchema.parse(addresses.join(comma))).toEqual(addresses);
      }),
    );
  });

  it.each(['', ',', 'a:1,', 'a:1,,b:2', 'a:1;b:2', 'a:1,b', 'a,b:1'])("refuses '%s'", (text) => {
    expect(targetListSchema.safeParse(text).success).toBe(false);
  });
});

describe('integerSchema()', () => {
  it('accepts exactly the whole numbers within its bounds', () => {
    const bounds = fc
      .tuple(fc.integer(), fc.integer())
      .map(([a, b]): [number, number] => [Math.min(a, b), Math.max(a, b)]);
    fc.assert(
      fc.property(bounds, fc.integer(), ([low, high], value) => {
        const parsed = integerSchema(low, high).safeParse(String(value));
        expect(parsed.success).toBe(value >= low && value <= high);
        if (parsed.success) expect(parsed.data).toBe(value);
      }),
    );
  });

  it('includes both bounds', () => {
    expect([integerSchema(-2, 7).parse('-2'), integerSchema(-2, 7).parse('7')]).toEqual([-2, 7]);
  });

  it.each(['', ' 1', '1 ', '1.0', '1e1', '+1', '0x1', 'NaN', 'Infinity', '--1', '1,000'])(
    "refuses '%s', which is not written as a whole number",
    (text) => {
      expect(integerSchema(0, 2000).safeParse(text).error?.issues).toMatchObject([
        { message: 'must be a whole number in 0..2000' },
      ]);
    },
  );

  it('names its bounds when a whole number lies outside', () => {
    expect(integerSchema(0, 5).safeParse('6').error?.issues).toMatchObject([{ message: 'must be in 0..5' }]);
  });
});

describe('sizeSchema', () => {
  it.each([
    ['1', 1],
    ['7B', 7],
    ['1KiB', 1024],
    ['512MiB', 536_870_912],
    ['20GiB', 21_474_836_480],
    ['8191TiB', 8191 * 2 ** 40],
  ])('reads %s as %d bytes', (text, bytes) => {
    expect(sizeSchema.parse(text)).toBe(bytes);
  });

  it('multiplies by the unit, exactly', () => {
    const units = { '': 1n, B: 1n, KiB: 1n << 10n, MiB: 1n << 20n, GiB: 1n << 30n, TiB: 1n << 40n };
    const unit = fc.constantFrom(...(Object.keys(units) as (keyof typeof units)[]));
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8191 }), unit, (count, name) => {
        expect(BigInt(sizeSchema.parse(`${count}${name}`))).toBe(BigInt(count) * units[name]);
      }),
    );
  });

  it.each(['', 'MiB', '1.5GiB', '-1MiB', '1 MiB', '1MB', '1mib', '1e3', '0x10'])("refuses '%s'", (text) => {
    expect(sizeSchema.safeParse(text).error?.issues).toMatchObject([
      { message: 'must be a size such as 512MiB or 20GiB' },
    ]);
  });

  it.each(['0', '0TiB', '8192TiB', '9007199254740992'])('refuses %s, which no limit can be', (text) => {
    expect(sizeSchema.safeParse(text).error?.issues).toMatchObject([
      { message: 'must be above 0 and below 8192TiB' },
    ]);
  });
});

describe('namedFoldersSchema', () => {
  it('reads names and folders', () => {
    expect(namedFoldersSchema.parse('a=/x, b_2=rel/y=z')).toEqual([
      { name: 'a', folder: '/x' },
      { name: 'b_2', folder: 'rel/y=z' },
    ]);
  });

  it.each([
    ['', 'must be name=folder, several separated by commas'],
    ['/x', 'must be name=folder, several separated by commas'],
    ['a=/x,', 'must be name=folder, several separated by commas'],
    ['a=/x,a=/y', 'must name each data set once'],
  ])("refuses '%s'", (text, message) => {
    expect(namedFoldersSchema.safeParse(text).error?.issues).toMatchObject([{ message }]);
  });
});

describe('sizeOrNoneSchema', () => {
  it('reads 0 as none, and sizes', () => {
    expect(['0', '3KiB'].map((text) => sizeOrNoneSchema.parse(text))).toEqual([0, 3072]);
  });

  it.each(['', 'none', '-1'])("refuses '%s'", (text) => {
    expect(sizeOrNoneSchema.safeParse(text).error?.issues).toMatchObject([
      { message: 'must be 0 or a size such as 512MiB' },
    ]);
  });
});

describe('logLevelSchema', () => {
  it('accepts the levels of the logger and nothing else', () => {
    const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];
    expect(levels.every((level) => logLevelSchema.safeParse(level).success)).toBe(true);
    expect(['', 'INFO', 'verbose'].some((level) => logLevelSchema.safeParse(level).success)).toBe(false);
  });
});
