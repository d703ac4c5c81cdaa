"""Ready letters in Russian, three for each type of offer."""

from __future__ import annotations

from mailings.content.ready_parts import (
    DIVIDER,
    Ready,
    banner,
    button,
    heading,
    product,
    review,
    text,
)
from mailings.rules.offers import OfferKind

_HELLO = 'Здравствуйте, {{ client.name | default: "коллега" }}!'
_SIGNED = "{{ manager.name | default: sender.name }}"
_TILL = "Предложение действует до {{ offer.valid_till }}."
_WHY = "{{ offer.reason }}"

LETTERS = (
    Ready(OfferKind.NEW, "Знакомство", "{{ offer.what }}", "{{ offer.reason | truncate: 90 }}", (
        heading("{{ offer.what }}"),
        text(_HELLO, _WHY, "{{ offer.proof }}"),
        button("{{ offer.call_to_action }}"),
        text(_TILL, f"Остались вопросы? Просто ответьте на это письмо.\n{_SIGNED}"),
    )),
    Ready(OfferKind.NEW, "Первый заказ на особых условиях", "Условия для первого заказа: {{ offer.terms | truncate: 60 }}", "Попробуйте нас на небольшом заказе", (
        text(_HELLO, "Вы у нас ещё ничего не заказывали, и мы хотим, чтобы попробовать было легко."),
        banner("{{ offer.terms }}", "{{ offer.what }}"),
        text(_WHY, "{{ offer.proof }}"),
        button("{{ offer.call_to_action }}"),
        text(_TILL),
    )),
    Ready(OfferKind.NEW, "Коротко, от человека", '{{ client.name | default: "Добрый день" }}, можно один вопрос?', "Займёт полминуты", (
        text(_HELLO, "Меня зовут {{ manager.name | default: sender.name }}. {{ offer.what }}", _WHY, "Если это сейчас для вас не важно, не отвечайте, и я больше не побеспокою. Если интересно, ответьте одним словом «да», и я расскажу подробнее."),
        button("{{ offer.call_to_action }}"),
    )),
    Ready(OfferKind.REPEAT, "Пора пополнить запас", "{{ offer.product }}: не пора ли повторить?", 'Прошлый заказ был {{ client.last_sale_on | default: "недавно" }}', (
        text(_HELLO, 'Последний раз вы заказывали у нас {{ client.last_sale_on | default: "некоторое время назад" }}. Обычно к этому времени запас заканчивается.'),
        product("{{ offer.terms }}", "{{ offer.call_to_action }}"),
        text(_WHY, _TILL),
    )),
    Ready(OfferKind.REPEAT, "Тот же заказ в один шаг", "Повторим прошлый заказ?", "Ответьте «да», остальное сделаем мы", (
        text(_HELLO, "Чтобы повторить прошлый заказ, ничего заполнять не надо: ответьте на это письмо «да», и мы соберём всё так же.", "{{ offer.terms }}"),
        button("{{ offer.call_to_action }}"),
        text(f"С уважением,\n{_SIGNED}"),
    )),
    Ready(OfferKind.REPEAT, "Спасибо постоянному клиенту", "{{ client.name | default: \"Спасибо\" }}, это для постоянных клиентов", "{{ offer.terms | truncate: 90 }}", (
        heading("Спасибо, что возвращаетесь"),
        text(_HELLO, "Заказов у нас с вами уже {{ client.sales }}.", _WHY),
        banner("{{ offer.terms }}", 'Ваш код: **{{ code | default: "ответьте на письмо, и мы его пришлём" }}**', "light"),
        button("{{ offer.call_to_action }}"),
        text(_TILL),
    )),
    Ready(OfferKind.UPSELL_BEFORE, "Вариант получше", "К вашему заказу: {{ offer.product }}", "Посмотрите, прежде чем мы начнём", (
        text(_HELLO, "Прежде чем мы приступим к вашему заказу, посмотрите вариант получше.", _WHY),
        product("{{ offer.terms }}", "{{ offer.call_to_action }}"),
        text("Если хотите оставить всё как есть, ничего делать не надо.", _TILL),
    )),
    Ready(OfferKind.UPSELL_BEFORE, "Сравнение двух вариантов", "Два варианта для вас", "Чем они отличаются и кому что подойдёт", (
        heading("Какой вариант ваш?"),
        text(_HELLO, "**Как сейчас.** Решает задачу, которую вы назвали.", "**{{ offer.product }}.** {{ offer.what }}", _WHY),
        banner("{{ offer.terms }}", _TILL, "light"),
        button("{{ offer.call_to_action }}"),
    )),
    Ready(OfferKind.UPSELL_BEFORE, "Записка менеджера", "По вашему заказу есть мысль", "{{ offer.reason | truncate: 90 }}", (
        text(_HELLO, "Смотрю на ваш заказ и вижу, что вам больше подойдёт {{ offer.product }}.", _WHY, "{{ offer.terms }}", f"Заменить? Ответьте на письмо или нажмите кнопку.\n{_SIGNED}"),
        button("{{ offer.call_to_action }}"),
    )),
    Ready(OfferKind.UPSELL_AFTER, "Дополнение к покупке", "Дополнение к вашей покупке", "{{ offer.product }}", (
        text(_HELLO, "Спасибо за покупку! К ней хорошо подходит ещё одна вещь."),
        product("{{ offer.what }}", "{{ offer.call_to_action }}"),
        text(_WHY, "{{ offer.terms }}", _TILL),
    )),
    Ready(OfferKind.UPSELL_AFTER, "Следующий шаг", "Что дальше: {{ offer.product }}", "Так делают те, у кого получилось", (
        heading("Следующий шаг"),
        text(_HELLO, "Основное уже у вас есть. Чтобы получить от него больше, обычно делают следующий шаг.", _WHY),
        review("{{ offer.proof }}", "Из отзывов клиентов"),
        button("{{ offer.call_to_action }}"),
        text("{{ offer.terms }}", _TILL),
    )),
    Ready(OfferKind.UPSELL_AFTER, "Как вам покупка?", "{{ client.name | default: \"Добрый день\" }}, всё ли в порядке с заказом?", "И небольшое предложение в конце", (
        text(_HELLO, "Хотим убедиться, что с заказом всё хорошо. Если что-то не так, ответьте на это письмо, разберёмся."),
        DIVIDER,
        text("А если всё в порядке, вот что к нему обычно добавляют:", "**{{ offer.product }}.** {{ offer.terms }}"),
        button("{{ offer.call_to_action }}"),
        text(f"{_SIGNED}"),
    )),
    Ready(OfferKind.CROSS_SELL, "Вместе удобнее", "{{ offer.product }} для тех, кто уже с нами", "{{ offer.what | truncate: 90 }}", (
        text(_HELLO, "Вы берёте у нас одно, а мы делаем ещё и другое. Вместе удобнее: один договор, одна доставка, один человек на связи."),
        product("{{ offer.what }}", "{{ offer.call_to_action }}"),
        text("{{ offer.proof }}", _TILL),
    )),
    Ready(OfferKind.CROSS_SELL, "О чём вы могли не знать", "Вы могли не знать, что мы делаем и это", "{{ offer.product }}", (
        heading("Мы делаем и это: {{ offer.product }}"),
        text(_HELLO, _WHY),
        review("{{ offer.proof }}", "Наш клиент"),
        banner("{{ offer.terms }}", _TILL, "light"),
        button("{{ offer.call_to_action }}"),
    )),
    Ready(OfferKind.CROSS_SELL, "Вопрос по делу", "Кто у вас занимается этим: {{ offer.product | truncate: 60 }}?", "Один короткий вопрос", (
        text(_HELLO, "Мы с вами уже работаем, поэтому спрошу прямо: где вы сейчас берёте то, что называется «{{ offer.product }}»?", "{{ offer.what }}", "{{ offer.terms }}", f"Ответьте парой слов, я посчитаю, выгодно ли вам перейти.\n{_SIGNED}"),
        button("{{ offer.call_to_action }}"),
    )),
    Ready(OfferKind.WIN_BACK, "Давно не виделись", "{{ client.name | default: \"Добрый день\" }}, давно не виделись", "{{ offer.terms | truncate: 90 }}", (
        heading("Давно не виделись"),
        text(_HELLO, 'Ваш последний заказ был {{ client.last_sale_on | default: "давно" }}. За это время у нас многое изменилось, и мы хотим, чтобы вы это увидели.', _WHY),
        banner("{{ offer.terms }}", "Только до {{ offer.valid_till }}"),
        button("{{ offer.call_to_action }}"),
    )),
    Ready(OfferKind.WIN_BACK, "Что мы сделали не так?", "Мы что-то сделали не так?", "Ответьте честно, это поможет нам", (
        text(_HELLO, "Раньше вы у нас покупали, а потом перестали. Если причина в нас, расскажите, что было не так: ответьте на это письмо, его прочтёт живой человек.", "А если просто не было повода, вот он: {{ offer.terms }}"),
        button("{{ offer.call_to_action }}"),
        text(f"Предложение действует до {{{{ offer.valid_till }}}}.\n{_SIGNED}"),
    )),
    Ready(OfferKind.WIN_BACK, "Код на возвращение", "Ваш личный код до {{ offer.valid_till }}", "Он действует один раз", (
        text(_HELLO, _WHY),
        banner('{{ code | default: "Личные условия" }}', "{{ offer.terms }}", "dark"),
        button("{{ offer.call_to_action }}"),
        text("Действует до {{ offer.valid_till }} и только для вас."),
    )),
    Ready(OfferKind.EVENT, "Приглашение", "Приглашаем: {{ offer.what | truncate: 70 }}", "{{ offer.valid_till }}", (
        heading("{{ offer.what }}"),
        text(_HELLO, "Приглашаем вас **{{ offer.valid_till }}**.", _WHY),
        button("{{ offer.call_to_action }}"),
        text("{{ offer.terms }}", f"До встречи!\n{_SIGNED}"),
    )),
    Ready(OfferKind.EVENT, "Программа", "Что будет {{ offer.valid_till }}", "{{ offer.what | truncate: 90 }}", (
        heading("{{ offer.what }}"),
        banner("{{ offer.valid_till }}", "{{ offer.terms }}"),
        text("**Зачем идти.** {{ offer.reason }}", "{{ offer.proof }}"),
        button("{{ offer.call_to_action }}"),
    )),
    Ready(OfferKind.EVENT, "Напоминание", "Напоминаем: {{ offer.valid_till }}", "Места ещё есть", (
        text(_HELLO, "Напоминаем: {{ offer.what }}, **{{ offer.valid_till }}**.", "Если планы изменились, ответьте на письмо, пришлём материалы."),
        button("{{ offer.call_to_action }}"),
    )),
    Ready(OfferKind.LEAD_MAGNET, "Полезное бесплатно", "{{ offer.what }}", "Бесплатно и без обязательств", (
        heading("{{ offer.what }}"),
        text(_HELLO, _WHY, "{{ offer.proof }}"),
        button("{{ offer.call_to_action }}"),
        text("Это бесплатно и ни к чему не обязывает."),
    )),
    Ready(OfferKind.LEAD_MAGNET, "Три вещи внутри", "Внутри: {{ offer.what | truncate: 70 }}", "Прочитать можно за пять минут", (
        heading("{{ offer.what }}"),
        text(_HELLO, "Что вы найдёте внутри:", "- с чего начать;\n- какие ошибки делают чаще всего;\n- как понять, что получилось.", _WHY),
        button("{{ offer.call_to_action }}"),
    )),
    Ready(OfferKind.LEAD_MAGNET, "Как это помогло другим", "Как это сработало у других", "{{ offer.what | truncate: 90 }}", (
        text(_HELLO, "Мы собрали то, о чём нас чаще всего спрашивают."),
        review("{{ offer.proof }}", "Наш клиент"),
        banner("{{ offer.what }}", "Бесплатно", "light"),
        button("{{ offer.call_to_action }}"),
    )),
)  # fmt: skip
