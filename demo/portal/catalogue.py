"""The system fields of leads, deals, contacts and companies, one line a field.

A line is `CODE type flags title`, where type may carry a dictionary (`status:SOURCE`) and flags are
letters: R read-only, I immutable after creation, M multiple, ! required, ~ deprecated,
i only in crm.item.*, c only in classic methods, w write-only in classic methods; `-` means none.
"""

_UTM = """
UTM_SOURCE string - Рекламная система
UTM_MEDIUM string - Тип трафика
UTM_CAMPAIGN string - Обозначение рекламной кампании
UTM_CONTENT string - Содержание кампании
UTM_TERM string - Условие поиска кампании
"""

_AUTHORS = """
ASSIGNED_BY_ID user - Ответственный
CREATED_BY_ID user R Кем создан
MODIFY_BY_ID user R Кем изменен
DATE_CREATE datetime R Дата создания
DATE_MODIFY datetime R Дата изменения
LAST_ACTIVITY_TIME datetime R Последняя активность
LAST_ACTIVITY_BY user R Кем выполнена последняя активность
OBSERVERS user Mi Наблюдатели
WEBFORM_ID integer i Создано CRM-формой
"""

_ORIGIN = """
ORIGINATOR_ID string - Внешний источник
ORIGIN_ID string - Идентификатор элемента во внешнем источнике
"""

_MULTIFIELDS = """
HAS_PHONE char R Задан телефон
HAS_EMAIL char R Задан e-mail
HAS_IMOL char R Задана открытая линия
PHONE crm_multifield M Телефон
EMAIL crm_multifield M E-mail
WEB crm_multifield M Сайт
IM crm_multifield M Мессенджер
LINK crm_multifield M Ссылка
"""

_ADDRESS = """
ADDRESS string ~ Адрес
ADDRESS_2 string ~ Адрес (стр. 2)
ADDRESS_CITY string ~ Город
ADDRESS_POSTAL_CODE string ~ Почтовый индекс
ADDRESS_REGION string ~ Район
ADDRESS_PROVINCE string ~ Область
ADDRESS_COUNTRY string ~ Страна
ADDRESS_COUNTRY_CODE string ~ Код страны
ADDRESS_LOC_ADDR_ID integer ~ Идентификатор адреса
"""

_PERSON = """
HONORIFIC status:HONORIFIC - Обращение
NAME string {name} Имя
SECOND_NAME string - Отчество
LAST_NAME string {name} Фамилия
BIRTHDATE date - Дата рождения
POST string - Должность
"""

_SOURCE = """
SOURCE_ID status:SOURCE - Источник
SOURCE_DESCRIPTION string - Дополнительно об источнике
"""

_MONEY = """
CURRENCY_ID crm_currency - Валюта
OPPORTUNITY double - Сумма
IS_MANUAL_OPPORTUNITY char - Сумма введена вручную
"""

_MOVED = """
MOVED_BY_ID user R Кем перемещен
MOVED_TIME datetime R Время перемещения
"""

LEAD = f"""
ID integer R ID
TITLE string - Название
{_PERSON.format(name="-")}
COMPANY_TITLE string - Название компании
{_SOURCE}
STATUS_ID status:STATUS - Стадия
STATUS_DESCRIPTION string - Дополнительно о стадии
STATUS_SEMANTIC_ID string R Группа стадии
{_ADDRESS}
{_MONEY}
OPENED char - Доступен для всех
COMMENTS string - Комментарий
COMPANY_ID crm_company - Компания
CONTACT_ID crm_contact ~ Контакт
CONTACT_IDS crm_contact Mw Контакты
IS_RETURN_CUSTOMER char R Повторный лид
DATE_CLOSED datetime R Дата закрытия
{_AUTHORS}{_MOVED}{_ORIGIN}{_UTM}{_MULTIFIELDS}
"""

DEAL = f"""
ID integer R ID
TITLE string - Название
TYPE_ID status:DEAL_TYPE - Тип
CATEGORY_ID crm_category I Воронка
STAGE_ID status:DEAL_STAGE - Стадия сделки
STAGE_SEMANTIC_ID string R Группа стадии
IS_NEW char R Новая сделка
IS_RECURRING char - Регулярная сделка
IS_RETURN_CUSTOMER char - Повторная сделка
IS_REPEATED_APPROACH char - Повторное обращение
PROBABILITY integer - Вероятность
{_MONEY}
TAX_VALUE double - Ставка налога
COMPANY_ID crm_company - Компания
CONTACT_ID crm_contact ~ Контакт
CONTACT_IDS crm_contact Mw Контакты
QUOTE_ID crm_quote R Предложение
BEGINDATE date - Дата начала
CLOSEDATE date - Дата завершения
OPENED char - Доступна для всех
CLOSED char - Закрыта
COMMENTS string - Комментарий
LEAD_ID crm_lead R Лид
{_SOURCE}
ADDITIONAL_INFO string - Дополнительная информация
LOCATION_ID location - Местоположение
{_AUTHORS}{_MOVED}{_ORIGIN}{_UTM}
"""

CONTACT = f"""
ID integer R ID
{_PERSON.format(name="!")}
PHOTO file - Фотография
TYPE_ID status:CONTACT_TYPE - Тип контакта
{_SOURCE}{_ADDRESS}
COMMENTS string - Комментарий
OPENED char - Доступен для всех
EXPORT char - Участвует в экспорте контактов
COMPANY_ID crm_company ~ Компания
COMPANY_IDS crm_company Mw Компании
CATEGORY_ID crm_category iI Направление
LEAD_ID crm_lead R Лид
{_ORIGIN}
ORIGIN_VERSION string - Версия оригинала
FACE_ID integer R Привязка к лицам из модуля faceid
{_AUTHORS}{_UTM}{_MULTIFIELDS}
"""

COMPANY = f"""
ID integer R ID
TITLE string ! Название компании
COMPANY_TYPE status:COMPANY_TYPE - Тип компании
LOGO file - Логотип
{_ADDRESS}
ADDRESS_LEGAL string ~ Юридический адрес
BANKING_DETAILS string - Банковские реквизиты
INDUSTRY status:INDUSTRY - Сфера деятельности
EMPLOYEES status:EMPLOYEES - Кол-во сотрудников
CURRENCY_ID crm_currency - Валюта
REVENUE double - Годовой оборот
OPENED char - Доступна для всех
COMMENTS string - Комментарий
IS_MY_COMPANY char - Моя компания
CATEGORY_ID crm_category iI Направление
CONTACT_IDS crm_contact Mw Контакты
LEAD_ID crm_lead R Лид
{_ORIGIN}
ORIGIN_VERSION string - Версия оригинала
LAST_COMMUNICATION_TIME string R Последняя коммуникация
{_AUTHORS}{_UTM}{_MULTIFIELDS}
"""

# crm.item.* calls these fields by names that do not follow from the classic code.
ITEM_NAMES = {
    "DATE_CREATE": "createdTime",
    "DATE_MODIFY": "updatedTime",
    "CREATED_BY_ID": "createdBy",
    "MODIFY_BY_ID": "updatedBy",
    "MOVED_BY_ID": "movedBy",
    "STATUS_ID": "stageId",
    "STATUS_SEMANTIC_ID": "stageSemanticId",
    "COMPANY_TYPE": "typeId",
}

# Named by the documentation, never filled: the portal answers null.
SWITCHED_OFF = {
    "lead": ("dateCreateShort", "dateModifyShort", "isConvert", "productId", "shortName", "login"),
    "deal": (
        *("dateCreateShort", "dateModifyShort", "productId", "begindateShort", "closedateShort"),
        *("eventDate", "eventDateShort", "eventId", "eventDescription", "orderStage"),
        *("isWork", "isWon", "isLose", "receivedAmount", "lostAmount", "hasProducts"),
    ),
    "contact": ("shortName", "login"),
    "company": (),
}
