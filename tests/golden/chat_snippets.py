# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The Argosy Authors
"""Small templates, one for each thing that chat templates may use. What Jinja refuses we must refuse too."""

# Expressions: each is put between {{ and }}.
EXPRESSIONS = r"""
1 + 2 * 3 - 4
7 // 2 ~ ' ' ~ -7 // 2 ~ ' ' ~ 7 % -3 ~ ' ' ~ -7 % 3
7 / 2 ~ ' ' ~ 6 / 3 ~ ' ' ~ 2 ** 10 ~ ' ' ~ 2 ** -1
7.5 // 2 ~ ' ' ~ -7.5 % 2 ~ ' ' ~ 1e3 ~ ' ' ~ 1_000
1e16 ~ ' ' ~ 1e15 ~ ' ' ~ 0.0001 ~ ' ' ~ 0.00001 ~ ' ' ~ 123456789.125 ~ ' ' ~ 1e22
0.1 + 0.2
-2 ** 2
- 3 | abs
(True + True) ~ none ~ false
1 / 0
1 % 0
'a' + 1
'a' * 3 ~ [1, 'b'] * 2 ~ 2 * 'cd' ~ 'x' * -1
[1] + [2, [3]]
(1, 2) + (3,)
[1] + (2,)
none + 1
nothing + 1
'a' 'b' "c"
'tab\tnew\nquote\'\"\\ \x41\u00e9\U0001F642 \101 \q'
(1 < 2 < 3) ~ (1 < 3 < 2) ~ (1 == 1.0) ~ (true == 1)
('a' < 'b') ~ ('a' == 1) ~ ('B' < 'a')
1 < 'a'
([1, 2] < [1, 3]) ~ ([] < [0]) ~ ((1,) == [1])
{'a': 1} == {'a': 1.0}
{'a': 1} != {'b': 1}
{'a': 1} < {'b': 2}
none < 1
('b' in 'abc') ~ (1 in [1, 2]) ~ ('k' in {'k': 0}) ~ ('z' not in 'abc') ~ (2 in (1, 2))
1 in 'abc'
'a' in none
'a' in nothing
nothing in 'a'
not 1 or 2 and 0
'' or 'fallback'
0 and 1 / 0
'yes' if 1 else 'no'
'yes' if 0
('yes' if 0) is undefined
'a' if 0 else 'b' if 0 else 'c'
nothing
nothing.more
nothing['more']
nothing()
nothing == nothing
{}.missing is defined
{}.missing.more
none.missing
none['missing']
none[0]
'abc'.missing is defined
5.missing
'abc'[1] ~ 'abc'[-1] ~ 'abc'[9] ~ [1, 2][-1] ~ [1][5]
'h\u00e9llo\U0001F642'[1] ~ 'h\u00e9llo\U0001F642'[-1] ~ 'h\u00e9llo'[1:3] ~ 'h\u00e9llo'[::-1]
'abcdef'[::2] ~ 'abcdef'[4:1:-1] ~ 'abcdef'[:-2] ~ 'abcdef'[-2:] ~ 'abcdef'[10:] ~ 'abcdef'[-100:2]
[1, 2, 3, 4][::-1] ~ [1, 2, 3][1:] ~ [1, 2, 3][:1] ~ (1, 2, 3)[1:]
'abc'[::0]
[].append is defined ~ {}.update is defined ~ {'pop': 1}.pop is defined ~ {'pop': 1}['pop'] ~ {}.copy is defined ~ [].count is callable
'abc'['x'] is undefined
[1, 2].0 ~ {'a': [5]}.a.0
{'items': 1}['items'] ~ {'items': 1}.items is callable
{'b': 1, 'a': none, 3: [true, 1.0], 'q': "it's", 'd': 'say "x"'}
['\n\t\r\x00\u00e9\u200b\\', "'", '"', '\'"']
()
(1,)
(1, (2, 'a'), [])
[nothing]
{'a': 1, 'a': 2}
[1, 2,]
{[]: 1}
1 is odd ~ 2 is even ~ 9 is divisibleby 3 ~ (9 is divisibleby(4))
1 is number ~ 1.0 is number ~ true is number ~ '1' is number
1 is integer ~ true is integer ~ 1.0 is integer ~ 1.0 is float ~ 1 is float
true is boolean ~ 1 is boolean ~ true is true ~ 1 is true ~ false is false ~ 0 is false
none is none ~ nothing is none ~ none is defined ~ nothing is undefined
'a' is string ~ 1 is string ~ {} is mapping ~ [] is mapping
'a' is sequence ~ [] is sequence ~ {} is sequence ~ 1 is sequence ~ nothing is sequence ~ (1,) is sequence
'a' is iterable ~ [] is iterable ~ {} is iterable ~ 1 is iterable ~ nothing is iterable ~ none is iterable
range is callable ~ 'a' is callable ~ 'a'.upper is callable
1 is eq 1 ~ 1 is equalto(2) ~ 1 is ne 2 ~ 1 is lt 2 ~ 1 is ge(1) ~ 2 is greaterthan 1
1 is in [1, 2] ~ 'x' is in 'abc' ~ 3 is not in [1]
'abc' is lower ~ 'ABC' is upper ~ 'aBc' is lower ~ '12' is lower
none is sameas none ~ true is sameas true ~ false is sameas(true)
x is defined and y is defined
not x is defined
1 is not none
'  a b '|trim ~ '.' ~ 'xxaxx' | trim('x') ~ '.' ~ 5 | trim ~ '\u3000a\u00a0' | trim
'hELLO wORLD' | capitalize ~ 'hELLO wORLD-foo (bar' | title ~ 'a' | upper ~ 'B' | lower
'\u00e9tude' | length ~ [1, 2] | count ~ {'a': 1} | length ~ '' | length ~ nothing | length
5 | length
none | length
'aXbXc' | replace('X', '-') ~ 'aXbXc' | replace('X', '-', 1) ~ 'ab' | replace('', '.') ~ 11 | replace(1, 2)
['a', 1, none] | join ~ ['a', 'b'] | join(', ') ~ 'abc' | join('-') ~ [] | join('x') ~ nothing | join
[{'n': 'x'}, {'n': 'y'}] | join('+', attribute='n') ~ [[1, 2], [3, 4]] | join('+', 1)
[1, 2] | first ~ [1, 2] | last ~ 'abc' | first ~ 'abc' | last ~ [] | first ~ {'k': 1} | first
5 | first
nothing | default('d') ~ none | default('d') ~ '' | default('d', true) ~ 0 | d('e', boolean=true) ~ 'x' | d ~ nothing | d
{'b': [1, 2.5, none, true], 'a': '\u00e9"\n<&>\'/\x7f\x01'} | tojson
{'b': [1, {}], 'a': [], 'c': {'d': 1}} | tojson(indent=2)
{'b': [1, {'x': []}], 'a': ()} | tojson(indent=4)
[1, [2, 3]] | tojson(indent='\t')
[1, 2] | tojson(indent=0)
{'b': 1, 'a': {'d': 1, 'c': 2}} | tojson(sort_keys=true)
{'b': 1, 'a': [1, 2]} | tojson(separators=(',', ':'))
'\u00e9\U0001F642' | tojson(ensure_ascii=true) ~ '\u00e9' | tojson
{1: 2, none: 3, true: 4, 1.5: 5} | tojson
1e16 | tojson ~ 1.0 | tojson ~ none | tojson ~ true | tojson ~ -0.0 | tojson
nothing | tojson
range | tojson
'5' | int ~ ' 7 ' | int ~ '3.9' | int ~ 'x' | int ~ 'x' | int(8) ~ 3.99 | int ~ -3.99 | int ~ none | int ~ true | int
'2.5' | float ~ 'x' | float ~ 1 | float ~ none | float(1.5) ~ '1e3' | float
1 | string ~ none | string ~ [1] | string ~ nothing | string
'abc' | list ~ {'a': 1} | list ~ (1, 2) | list ~ nothing | list ~ range(3) | list
none | list
{'b': 1, 'a': 2} | items | list ~ nothing | items | list
[1] | items | list
{'b': 1, 'A': 2, 'a': 0} | dictsort ~ {'b': 1, 'a': 2} | dictsort(by='value') ~ {'b': 1, 'a': 2} | dictsort(reverse=true)
{'b': 1, 'A': 2} | dictsort(true) ~ {'b': 1, 'A': 2} | dictsort(false, 'value', true)
[1, 2, 3, 4] | select('odd') | list ~ [0, 1, ''] | select | list ~ [1, 2, 3] | reject('odd') | list ~ [0, 1] | reject | list
[1, 2, 3] | select('gt', 1) | list ~ [1, 2, 3] | select('in', [1, 3]) | list
[{'a': 1}, {'a': 2}, {}] | selectattr('a') | list ~ [{'a': 1}, {'b': 2}] | selectattr('a', 'defined') | list
[{'a': 1}, {'a': 2}] | rejectattr('a', 'equalto', 1) | list ~ [{'a': {'b': 1}}] | selectattr('a.b', '==', 1) | list
[{'a': 1}, {'a': 2}] | map(attribute='a') | list ~ [{'a': 1}, {}] | map(attribute='a', default=0) | list ~ ['x'] | map('upper') | list
[[1, 2], [3]] | map('join', '-') | list ~ ['1', '2'] | map('int') | sum ~ [{'a': [1, 2]}] | map(attribute='a.1') | list
none | map('upper') | list ~ none | selectattr('a') | list ~ nothing | map(attribute='x') | list
5 | map('upper') | list
5 | select('odd') is defined
[1, 2] | map('upper') is true ~ ([1] | select('even')) is iterable
[1, 2] | select('odd') | length
[1, 2] | map('nofilter') is defined
[1, 2] | reverse | list ~ 'abc' | reverse ~ (1, 2) | reverse | list
[3, 1, 2] | sort ~ ['b', 'A', 'c'] | sort ~ ['b', 'A'] | sort(case_sensitive=true) ~ [1, 2] | sort(reverse=true)
[{'n': 2}, {'n': 1}] | sort(attribute='n') ~ 'bca' | sort
[1, 'a'] | sort
[1, 2, 1, 'a', 'A'] | unique | list ~ ['a', 'A'] | unique(case_sensitive=true) | list
[3, 1, 2] | min ~ [3, 1, 2] | max ~ ['b', 'A'] | min ~ [{'n': 2}, {'n': 1}] | max(attribute='n') ~ [] | min
[1, 2.5] | sum ~ [{'n': 1}, {'n': 2}] | sum(attribute='n') ~ [1] | sum(start=10) ~ [] | sum
['a'] | sum
2.5 | round ~ ' ' ~ 3.5 | round ~ ' ' ~ 2.675 | round(2) ~ ' ' ~ 5 | round ~ ' ' ~ 2.1 | round(method='ceil') ~ ' ' ~ -2.1 | round(0, 'floor') ~ ' ' ~ 1234 | round(-2)
-3 | abs ~ ' ' ~ -2.5 | abs ~ ' ' ~ true | abs
'a' | abs
'a\nb\n\nc' | indent ~ '|' ~ 'a\nb' | indent(2, true) ~ '|' ~ 'a\n\nb' | indent(2, blank=true) ~ '|' ~ 'a\nb' | indent('> ') ~ '|' ~ 'a\n' | indent(first=true)
'<a & "b\'>' | escape ~ '<' | e | e ~ '<b>' | safe
('<b>' | safe) + '<i>' ~ ('<' + ('>' | safe)) ~ ('<' | safe | trim + '"')
' a b '.strip() ~ '.' ~ 'xxaxx'.strip('x') ~ '.' ~ ' a '.lstrip() ~ '.' ~ ' a '.rstrip() ~ '.' ~ 'abcba'.strip('ab')
'a b  c'.split() ~ 'a,b,c'.split(',') ~ 'a,b,c'.split(',', 1) ~ ' a b c '.split(none, 1) ~ ''.split() ~ ''.split(',')
'a b c'.rsplit(' ', 1) ~ 'a,b,c'.rsplit(',')[-1] ~ ' a b c '.rsplit(none, 1) ~ 'a b c'.rsplit(maxsplit=1)
'a'.split('')
'a\nb\r\nc\n'.splitlines() ~ 'a\nb'.splitlines(true) ~ ''.splitlines() ~ 'a\x0bb\u2028c'.splitlines()
'abc'.startswith('ab') ~ 'abc'.endswith('bc') ~ 'abc'.startswith(('x', 'a')) ~ 'a'.endswith('abc') ~ 'a'.startswith('')
'abc'.startswith(1)
'aBc'.upper() ~ 'aBc'.lower() ~ "they're bill's 1a".title() ~ 'aBC d'.capitalize()
'aXbX'.replace('X', '') ~ 'aXbX'.replace('X', '-', 1) ~ 'abcb'.find('b') ~ 'abc'.find('z') ~ '\u00e9b'.find('b') ~ 'abcb'.count('b') ~ 'ab'.count('')
'-'.join(['a', 'b']) ~ ''.join('abc') ~ 'abc'.removeprefix('a') ~ 'abc'.removesuffix('c') ~ '12'.isdigit() ~ ''.isdigit()
'-'.join([1])
'a'.strip(1)
'a'.nomethod()
{'a': 1}.get('a') ~ {'a': 1}.get('b') ~ {'a': 1}.get('b', 2) ~ {1: 'x'}.get(1)
{'a': 1, 'b': 2}.items() ~ {'a': 1}.keys() ~ {'a': 1}.values() ~ {'a': 1}.items() | list ~ {'a': 1}.keys() | list ~ {'a': 1}.items() | length
{'a': 1}.get()
{'a': 1}.pop('a')
{'a': 1}.update({'b': 2})
[1].append(2)
[1].insert(0, 2)
''.__class__
range(3) | list ~ range(1, 4) | list ~ range(5, 0, -2) | list ~ range(0) | list
range(1000000)
range('a')
dict(a=1, b=[2]) ~ dict({'a': 1}, b=2) ~ dict([('x', 1)]) ~ dict()
namespace(a=1).a ~ namespace({'b': 2}).b ~ namespace().c
strftime_now('%Y-%m-%d %H:%M:%S %A %B %j')
raise_exception('no')
undefined_function('x')
'a' is nosuchtest
'a' | nosuchfilter
1 +
(1, 2
{'a' 1}
'open
5 5
[1, 2](0)
'abc'(1)
{{ 1 }}
1 ? 2
"\N{BULLET}" is never
'%s' is string
[[1, 2], [3, 4]] | map('first') | join ~ [[1, 2]] | map('last') | join
{'a': {'b': {'c': 'deep'}}}['a']['b'].c
[{'role': 'user'}, {'role': 'x'}] | selectattr('role', 'in', ['user']) | map(attribute='role') | list | tojson
('a' ~ 'b') | upper ~ 'c' | upper
'a' ~ 'b' | upper
(-1) | abs + 1
1 if 'a' is string and not 'b' is number else 2
[1, 2, 3] | length - 1
not 'a' in 'b'
'a' not in 'b' and 'b' in 'abc'
""".strip("\n").split("\n")

STATEMENTS = [
    "{% for x in [1, 2, 3] %}{{ x }}{% if not loop.last %}, {% endif %}{% endfor %}",
    "{% for x in [] %}a{% else %}none{% endfor %}{% for x in nothing %}a{% else %}empty{% endfor %}",
    "{% for x in [1, 2, 3, 4] if x is even %}{{ loop.index }}/{{ loop.length }}:{{ x }} {% else %}no{% endfor %}",
    "{% for x in [1] if x > 5 %}{{ x }}{% else %}no{% endfor %}",
    "{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}={{ v }};{% endfor %}{% for k in {'x': 1} %}{{ k }}{% endfor %}",
    "{% for a, b in [(1, 2), [3, 4]] %}{{ a + b }} {% endfor %}{% for (a, b) in ['xy'] %}{{ b ~ a }}{% endfor %}",
    "{% for a, b in [(1, 2, 3)] %}{% endfor %}",
    "{% for x in 5 %}{% endfor %}", "{% for x in none %}{% endfor %}",
    "{% for c in 'h\u00e9\U0001F642' %}[{{ c }}]{% endfor %}",
    "{% for x in 'abc' %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}"
    "{{ loop.length }}{{ loop.depth }}{{ loop.previtem }}{{ loop.nextitem }} {% endfor %}",
    "{% for x in [1, 2, 3, 4] %}{% if x == 2 %}{% continue %}{% endif %}{% if x == 4 %}{% break %}{% endif %}{{ x }}{% endfor %}",
    "{% for x in [1, 2] %}{% for y in [1, 2, 3] %}{% if y == 2 %}{% break %}{% endif %}{{ x }}{{ y }} {{ loop.index }}{% endfor %}"
    "{{ loop.index }};{% endfor %}",
    "{% break %}", "{% for x in [1] %}{% macro m() %}{% break %}{% endmacro %}{% endfor %}",
    "{% set x = 1 %}{% for i in [1, 2] %}{{ x }}{% set x = x + i %}{{ x }} {% endfor %}{{ x }}",
    "{% for i in [1, 2] %}{% if loop.first %}{% set y = i %}{% endif %}{{ y is defined }}{% endfor %}{{ y is defined }}",
    "{% if 1 %}{% set z = 5 %}{% endif %}{{ z }}", "{% if 0 %}a{% elif '' %}b{% elif [0] %}c{% else %}d{% endif %}",
    "{% if 0 %}{% elif 0 %}{% else %}d{% endif %}{% if nothing %}e{% endif %}",
    "{% set ns = namespace(n=0) %}{% for i in [1, 2, 3] %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}{{ ns.other is defined }}",
    "{% set ns = namespace() %}{% set ns.a = [1] %}{% set ns.b = ns.a + [2] %}{{ ns.b }}{{ ns['a'] }}",
    "{% set d = {} %}{% set d.a = 1 %}", "{% set nothing.a = 1 %}", "{% set 1 = 2 %}", "{% set none = 2 %}",
    "{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set a, b = b, a %}{{ a }}{{ b }}", "{% set a, b = [1] %}",
    "{% set a = 1, 2 %}{{ a }}{% set b = 1, %}{{ b }}",
    "{% set text %}a{{ 1 + 1 }}\nb{% endset %}[{{ text }}]{{ text | length }}{{ text is string }}",
    "{% set text | upper | replace('A', '-') %}abc{{ 'a' }}{% endset %}{{ text }}",
    "{% set x = 1 %}{% set t %}{% set x = 2 %}{{ x }}{% endset %}{{ x }}{{ t }}",
    "{% macro m(a, b=2, c='x') %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(1) }} {{ m(1, c='y') }} {{ m(b=5, a=6) }} {{ m() }}",
    "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(x=2) }}",
    "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, a=2) }}", "{% macro m(a=1, b) %}{% endmacro %}",
    "{% macro m(a, b=a ~ '!') %}{{ b }}{% endmacro %}{{ m('x') }}{{ m('x', 'y') }}",
    "{% macro f(n) %}{{ n }}{% if n %} {{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }}",
    "{% set x = 1 %}{% macro m() %}{{ x }}{% endmacro %}{{ m() }}{% set x = 2 %}{{ m() }}",
    "{% macro m() %}{{ late }}{% endmacro %}{% set late = 3 %}{{ m() }}",
    "{% for x in [1, 2] %}{% macro m() %}{{ x }}{% endmacro %}{{ m() }}{% endfor %}",
    "{% macro m() %}{% set inner = 1 %}{% endmacro %}{{ m() }}{{ inner is defined }}",
    "{% macro m(x) %}{{ x | upper }}{% endmacro %}{{ m('a') ~ m('b') | length }}{{ m('  c ') | trim }}",
    "{% macro a(x) %}<{{ x }}>{% endmacro %}{% macro b(x) %}{{ a(x) ~ a(a(x)) }}{% endmacro %}{{ b(1) }}",
    "{% macro m(a, b) %}{{ a }}-{{ b }}{% endmacro %}{% set all = [m] %}{% for f in all %}{{ f(*[1, 2]) }}{{ f(3, *[4]) }}{% endfor %}",
    "{% with a = 1, b = 2 %}{{ a + b }}{% set c = 3 %}{% endwith %}{{ a is defined }}{{ c is defined }}",
    "{% set a = 1 %}{% with a = 2, b = a %}{{ a }}{{ b }}{% endwith %}{{ a }}",
    "{% generation %}x{% set y = 1 %}{% endgeneration %}{{ y is defined }}", "{% for x in [1] %}{% generation %}{% break %}{% endgeneration %}{% endfor %}",
    "{% set g = [1, 2] | select('odd') %}{{ g | list }}{{ g | list }}", "{% set g = 5 | map('upper') %}{% if g %}true{% endif %}",
    "{% set g = [1, 2, 3] | reject('even') %}{{ g | first }}{{ g | list }}",
    "{% for x in [1, 2] | reverse %}{{ x }}{{ loop.length }}{% endfor %}", "{{ 1, 2 }}{{ 'a', }}", "{{ }}", "{% %}", "{%- -%}",
    "{% set x = none %}{{ x[1:] }}", "{% set x = {'a': 1} %}{{ x[1:] }}", "{% set x = [1] %}{{ x['a':] }}", "{{ nothing[1:] }}",
    # White space.
    "a\n{% if 1 %}\nb\n{% endif %}\nc\n", "a\n  {% if 1 %}  \n  b\n  {% endif %}\n  c\n\n", "  {{ 1 }}  \n  {{ 2 }}\n",
    "a \n {%- if 1 -%} \n b \n {%- endif -%} \n c", "a\n  {%+ if 1 %}b{% endif %}\n", "a {#- c -#} b\n  {# c #}\nd {#+ c +#}\ne", "a\n   {# x #}   {# y #}\nb",
    "x  {% if 1 %}y{% endif %}", "\n\n{% if 1 %}\n\nx\n\n{% endif %}\n\n", "a\r\n{% if 1 %}\r\nb\r\n{% endif %}\r\nc\r\n", "{% if 1 +%}\nx{% endif +%}\ny",
    "{{ 1 -}}\n\n  a {{- 2 }}\n{{ 3 }}\n", "{%- if 1 %}\n  a\n{%- endif %}\n", "\u00a0{%- if 1 -%}\u3000x\u2003{%- endif -%}\u00a0y", "\t{% set a = 1 %}\n\t{{ a }}",
    "{% for x in [1, 2] %}\n  {{ x }}\n{% endfor %}\nend", "{% for x in [1, 2] -%}\n  {{ x }}\n{%- endfor %}\nend", "{% if 1 %}{# #}{% endif %}\n{# #}\n x",
    "{ {a} {%if 1%}{{2}}{%endif%} } %} }} #}", "{{ '}}' }}{{ '{%' }}{{ {'a': {}} }}", "{{ {'a': {'b': 1}}['a']['b'] }}", "{{'a'}}{{-'b'-}}{{'c'}}", "{{ 1 -1 }}", "{{ [1,2] [0] }}",
    "{{ 'a\nb' }}", "{{ 'a\\\nb' }}", "{%\n  if\n 1\n %}a{%\nendif\n%}", "", "\n", "plain", "{", "{{", "{%", "a {# b", "{% if 1 %}", "{% endif %}", "{% else %}",
    "{% if 1 %}{% endfor %}", "{% for x in [1] %}", "{% for x of [1] %}{% endfor %}", "{% for %}{% endfor %}", "{% unknown %}", "{% if %}{% endif %}", "{% set %}", "{{ 1 }", "{% if 1 }",
    "{% macro %}{% endmacro %}", "{% if 1: %}x{% endif %}", "{% set x = 1 if 0 else 2 %}{{ x }}", "{% for x in [1, 2] if x == 1 or x == 2 %}{{ x }}{% endfor %}",
    "{% for x in ([1] if 1 else []) %}{{ x }}{% endfor %}", "{% set loop = 5 %}{{ loop }}", "{{ loop is defined }}", "{% set messages = [1] %}{{ messages }}", "{{ messages | length }}{{ tools is defined }}",
]

SNIPPETS = ["{{ " + expression + " }}" for expression in EXPRESSIONS] + STATEMENTS
